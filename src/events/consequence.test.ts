import { describe, expect, test } from 'vitest';

import { consequenceOf, whyNotSend } from './consequence.ts';
import type { ClaimedOccurrence, Recipient } from './ports.ts';

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
  redelivered: false,
  earlierAttempts: 0,
};

function failed(
  claimed: Partial<ClaimedOccurrence>,
  retryAfterMs: number | null = null,
  endedAt = NINE,
  random = 0,
) {
  const judged = { verdict: 'retry', endedAt, retryAfterMs } as const;
  return consequenceOf({ ...FIRST, ...claimed }, judged, GIVE_UP_AFTER, random);
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

  test('a redelivery begins with the first pauses again, whatever was tried before it', () => {
    const after30 = { redelivered: true, earlierAttempts: 30 };
    expect(failed({ ...after30, attempt: 31, armedAttempt: 1 })).toEqual({
      kind: 'again',
      at: NINE + 1000,
    });
    expect(failed({ ...after30, attempt: 34, armedAttempt: 4 })).toEqual({
      kind: 'retry',
      at: NINE + 10_000,
    });
  });

  test('the receiver may ask for longer, not for sooner', () => {
    expect(failed({}, 30_000)).toEqual({ kind: 'again', at: NINE + 30_000 });
    expect(failed({}, 10)).toEqual({ kind: 'again', at: NINE + 1000 });
  });

  test('those who are asked to come back at one instant come spread, none sooner', () => {
    expect(failed({}, 30_000, NINE, 0.5)).toEqual({ kind: 'again', at: NINE + 37_500 });
    expect(failed({}, null, NINE, 0.5)).toEqual({ kind: 'again', at: NINE + 1000 });
  });

  test('the last attempt is made when the time to give up has come, and ends it', () => {
    const end = NINE + GIVE_UP_AFTER;
    const attempt = { attempt: 400, armedAttempt: 4 };
    expect(failed(attempt, null, end - 60_000)).toEqual({ kind: 'retry', at: end });
    expect(failed(attempt, null, end)).toEqual({ kind: 'failed', at: end, reason: 'gave_up' });
  });
});

function why(
  now: number,
  user: Pick<Recipient, 'facts'> | undefined,
  claimed = FIRST,
): ReturnType<typeof whyNotSend> {
  return whyNotSend(claimed, user, now, 48 * HOUR);
}

describe('whether a claimed occurrence is sent', () => {
  const facts = { anchorDate: '1990-05-20', timezone: 'Europe/Berlin' };
  const user = { facts };
  const whyAt = (now: number, firstAttemptAt = now, attempt = 1) =>
    why(now, user, { ...FIRST, firstAttemptAt, attempt });

  test('it is, as long as it was planned with the facts of now', () => {
    expect(why(NINE, user)).toBeNull();
    expect(why(NINE, { facts: { ...facts, timezone: 'Asia/Tokyo' } })).toBe('changed');
    expect(why(NINE, { facts: { ...facts, anchorDate: '1990-05-21' } })).toBe('changed');
    expect(why(NINE, { facts: 'none' })).toBe('changed');
    expect(why(NINE, undefined)).toBe('user_deleted');
  });

  test('of a type that this version does not have, nothing is judged', () => {
    expect(why(NINE, { facts: 'unknown' })).toBeNull();
    expect(why(NINE, undefined)).toBe('user_deleted');
  });

  test('a redelivery is, whatever has changed and however late, as long as there is a user', () => {
    const redelivered = { ...FIRST, redelivered: true, firstAttemptAt: NINE + 900 * HOUR };
    const moved = { facts: { anchorDate: '1990-07-01', timezone: 'Asia/Tokyo' } };
    expect(why(NINE + 900 * HOUR, moved, redelivered)).toBeNull();
    expect(why(NINE, undefined, redelivered)).toBe('user_deleted');
  });

  test('too late is only a first attempt, and by both clocks', () => {
    expect(whyAt(NINE + 48 * HOUR)).toBeNull();
    expect(whyAt(NINE + 48 * HOUR + 1)).toBe('too_late');
    expect(whyAt(NINE + 49 * HOUR, NINE + 49 * HOUR, 2)).toBeNull();
    expect(whyAt(NINE + 72 * HOUR, NINE)).toBeNull();
    expect(whyAt(NINE, NINE + 72 * HOUR)).toBeNull();
  });
});
