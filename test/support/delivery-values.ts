/** A claimed row and its user, as tests without a database need them. */
import type { ClaimedOccurrence } from '../../src/ledger/types.ts';
import { messageOf } from '../../src/occasion-types/built-in.ts';
import type { Recipient } from '../../src/delivery/recipient.ts';

const USER_ID = '01890a5d-ac96-774b-bcce-b302099a8057';

/** A claimed first attempt of a birthday. */
export function claimedAt(dueAt: number, more: Partial<ClaimedOccurrence> = {}): ClaimedOccurrence {
  return {
    key: `birthday:${USER_ID}:2026`,
    destination: 'default',
    leaseToken: 7,
    occasionType: 'birthday',
    occasionId: USER_ID,
    userId: USER_ID,
    nominalDate: '2026-05-20',
    date: '1990-05-20',
    timezone: 'Europe/Berlin',
    recurrence: 'birthday',
    keptDate: '2026-05-20',
    localDate: '2026-05-20',
    dueAt,
    inputsAt: 0,
    rulesId: 0,
    supersededAt: null,
    attempt: 1,
    earlierAttempts: 0,
    firstAttemptAt: null,
    late: false,
    redelivered: false,
    ...more,
  };
}

export const ADA: Recipient = {
  userId: USER_ID,
  externalId: null,
  firstName: 'Ada',
  lastName: 'Lovelace',
  timezone: 'Europe/Berlin',
  occasion: {
    id: USER_ID,
    externalId: null,
    type: 'birthday',
    date: '1990-05-20',
    recurrence: 'birthday',
    data: null,
  },
  isOccasionGone: false,
  suspended: false,
  isAsPlanned: true,
  lateLimitMs: 48 * 3_600_000,
  destination: 'default',
  message: messageOf('birthday'),
};
