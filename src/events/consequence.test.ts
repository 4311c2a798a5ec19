import { describe, expect, test } from 'vitest';

import { consequenceOf, whyNotSend } from './consequence.ts';
import type { ClaimedOccurrence } from './ports.ts';

const HOUR = 3_600_000;
const GIVE_UP_AFTER = 72 * HOUR;
const NINE = Date.UTC(2026, 4, 20, 7);

const FIRST: ClaimedOccurrence = {
  key: 'birthday:u1:2026',
  fence: 1,
  eventType: 'birthday',
  userId: 'u1',
  year: 2026,
  anchorDate: '1990-05-20',
  timezone: 'Europe/Berlin',
  localDate: '2026-05-20',
  fireAt: NINE,
  attempt: 1,
  armedAttempt: 1,
  firstAttemptAt: NINE,
  late: false,
};

function failed(
  claimed: Partial<ClaimedOccurrence>,
  retryAfterMs: number | null = null,
  endedAt = NINE,
) {
  const judged = { verdict: 'retry', endedAt, retryAfterMs } as const;
  return consequenceOf({ ...FIRST, ...claimed }, judged, GIVE_UP_AFTER, 0);
}

describe('what follows from an attempt', () => {
  test.each([
    ['delivered', { kind: 'delivered', at: NINE }],
    ['give_up', { kind: 'failed', at: NINE, reason: 'refused' }],
    ['gone', { kind: 'failed', at: NINE, reason: 'gone' }],
  ] as const)('%s settles it', (verdict, consequence) => {
    const judged = { verdict, endedAt: NINE, retryAfterMs: null };
    expect(consequenceOf(FIRST, judged, GIVE_UP_AFTER, 0)).toEqual(consequence);
  });

  test.each([
    [1, { kind: 'again', at: NINE + 1000 }],
    [2, { kind: 'again', at: NINE + 2000 }],
    [3, { kind: 'again', at: NINE + 4000 }],
    [4, { kind: 'retry', at: NINE + 10_000 }],
  ])(
    'of the first burst, attempt %i: the ledger retries, then Temporal',
    (attempt, consequence) => {
      expect(failed({ attempt, armedAttempt: attempt })).toEqual(consequence);
    },
  );

  test('every arming has a burst of its own, and the pauses between them grow', () => {
    expect(failed({ attempt: 5, armedAttempt: 1 })).toEqual({ kind: 'again', at: NINE + 1000 });
    expect(failed({ attempt: 8, armedAttempt: 4 })).toEqual({ kind: 'retry', at: NINE + 20_000 });
    expect(failed({ attempt: 12, armedAttempt: 4 })).toEqual({ kind: 'retry', at: NINE + 40_000 });
  });

  test('the receiver may ask for longer, not for sooner', () => {
    expect(failed({}, 30_000)).toEqual({ kind: 'again', at: NINE + 30_000 });
    expect(failed({}, 10)).toEqual({ kind: 'again', at: NINE + 1000 });
  });

  test('the last attempt is made when the time to give up has come, and ends it', () => {
    const end = NINE + GIVE_UP_AFTER;
    const attempt = { attempt: 400, armedAttempt: 4 };
    expect(failed(attempt, null, end - 60_000)).toEqual({ kind: 'retry', at: end });
    expect(failed(attempt, null, end)).toEqual({ kind: 'failed', at: end, reason: 'gave_up' });
  });
});

describe('whether a claimed occurrence is sent', () => {
  const user = { dateOfBirth: '1990-05-20', timezone: 'Europe/Berlin' };
  const why = (now: number, facts: typeof user | undefined, claimed = FIRST) =>
    whyNotSend(claimed, facts, now, 48 * HOUR);
  const whyAt = (now: number, firstAttemptAt = now, attempt = 1) =>
    why(now, user, { ...FIRST, firstAttemptAt, attempt });

  test('it is, as long as it was planned with the facts of now', () => {
    expect(why(NINE, user)).toBeNull();
    expect(why(NINE, { ...user, timezone: 'Asia/Tokyo' })).toBe('changed');
    expect(why(NINE, { ...user, dateOfBirth: '1990-05-21' })).toBe('changed');
    expect(why(NINE, undefined)).toBe('user_deleted');
  });

  test('too late is only a first attempt, and by both clocks', () => {
    expect(whyAt(NINE + 48 * HOUR)).toBeNull();
    expect(whyAt(NINE + 48 * HOUR + 1)).toBe('too_late');
    expect(whyAt(NINE + 49 * HOUR, NINE + 49 * HOUR, 2)).toBeNull();
    expect(whyAt(NINE + 72 * HOUR, NINE)).toBeNull();
    expect(whyAt(NINE, NINE + 72 * HOUR)).toBeNull();
  });
});
