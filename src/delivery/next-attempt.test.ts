import { describe, expect, test } from 'vitest';

import type { ClaimedOccurrence } from '../ledger/types.ts';
import { decideNextAttempt, retryPauseMs, withJitter } from './next-attempt.ts';
import { claimedAt } from '../../test/support/delivery-values.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;
const GIVE_UP_AFTER = 72 * HOUR;
const NINE = Date.UTC(2026, 4, 20, 7);
const FIRST = claimedAt(NINE);

interface Failure {
  readonly claimed?: Partial<ClaimedOccurrence>;
  readonly retryAfterMs?: number;
  readonly endedAt?: number;
  readonly random?: number;
}

function failed({ claimed = {}, retryAfterMs, endedAt = NINE, random = 0 }: Failure) {
  const judged = { verdict: 'retry', endedAt, retryAfterMs: retryAfterMs ?? null } as const;
  return decideNextAttempt({ ...FIRST, ...claimed }, endedAt, judged, GIVE_UP_AFTER, random);
}

const retryAt = (at: number, notBefore: number | null = null) => ({ kind: 'retry', at, notBefore });

test.each([
  ['delivered', { kind: 'delivered', at: NINE }],
  ['give_up', { kind: 'failed', at: NINE, reason: 'refused' }],
  ['gone', { kind: 'failed', at: NINE, reason: 'gone' }],
] as const)('%s settles it', (verdict, next) => {
  const judged = { verdict, endedAt: NINE, retryAfterMs: null };
  expect(decideNextAttempt(FIRST, NINE, judged, GIVE_UP_AFTER, 0)).toEqual(next);
});

describe('a retry', () => {
  test.each([
    [1, 1],
    [2, 2],
    [3, 4],
    [4, 10],
    [5, 20],
    [30, 3600],
  ])('after attempt %i comes %i s later', (attempt, seconds) => {
    expect(failed({ claimed: { attempt } })).toEqual(retryAt(NINE + seconds * SECOND));
  });

  test('counts only the attempts of this due instant or redelivery', () => {
    const claimed = { attempt: 31, earlierAttempts: 30 };
    expect(failed({ claimed })).toEqual(retryAt(NINE + SECOND));
    expect(failed({ claimed: { ...claimed, attempt: 34 } })).toEqual(retryAt(NINE + 10 * SECOND));
  });

  test('comes no sooner than the receiver asked, and may come later', () => {
    expect(failed({ retryAfterMs: 30_000 })).toEqual(retryAt(NINE + 30_000, NINE + 30_000));
    expect(failed({ retryAfterMs: 10 })).toEqual(retryAt(NINE + SECOND, NINE + 10));
  });

  test('has upward jitter only, even if the receiver named an instant', () => {
    expect(failed({ random: 0.5 })).toEqual(retryAt(NINE + 1_250));
    expect(failed({ retryAfterMs: 30_000, random: 0.5 })).toEqual(
      retryAt(NINE + 37_500, NINE + 30_000),
    );
  });
});

describe('giving up', () => {
  const end = NINE + GIVE_UP_AFTER;
  const late = { attempt: 90, firstAttemptAt: NINE };

  test('the last attempt is made when the time to give up has come, and settles it', () => {
    expect(failed({ claimed: late, endedAt: end - 60_000 })).toEqual(retryAt(end));
    expect(failed({ claimed: late, endedAt: end })).toEqual({
      kind: 'failed',
      at: end,
      reason: 'gave_up',
    });
  });

  test('the last attempt waits for as long as the receiver asked', () => {
    const asked = { claimed: late, endedAt: end - 60_000, retryAfterMs: HOUR };
    expect(failed(asked)).toEqual(retryAt(end - 60_000 + HOUR, end - 60_000 + HOUR));
  });

  test('a due instant without an attempt starts its own time', () => {
    const moved = { attempt: 6, earlierAttempts: 5, firstAttemptAt: null };
    expect(failed({ claimed: moved, endedAt: end + HOUR })).toEqual(retryAt(end + HOUR + SECOND));
  });
});

describe('the next occurrence', () => {
  const claimed = { attempt: 9, firstAttemptAt: NINE, supersededAt: NINE + HOUR };

  test('ends the attempts of the previous one', () => {
    const endedAt = NINE + HOUR - 320 * SECOND;
    expect(failed({ claimed, endedAt: endedAt - 1 })).toEqual(retryAt(NINE + HOUR - 1));
    expect(failed({ claimed, endedAt })).toEqual({
      kind: 'failed',
      at: endedAt,
      reason: 'superseded',
    });
  });

  test('does not end a redelivery', () => {
    const redelivered = { ...claimed, redelivered: true };
    expect(failed({ claimed: redelivered, endedAt: NINE + HOUR })).toMatchObject({ kind: 'retry' });
  });
});

test('the pauses are 1, 2 and 4 s, then 10 s doubled up to an hour', () => {
  const seconds = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 2000].map((made) => retryPauseMs(made) / 1000);
  expect(seconds).toEqual([1, 2, 4, 10, 20, 40, 1280, 2560, 3600, 3600, 3600]);
});

test('jitter makes a pause longer by up to half, never shorter', () => {
  expect([0, 0.5, 0.999_999].map((random) => withJitter(30_000, random))).toEqual([
    30_000, 37_500, 44_999,
  ]);
  expect(withJitter(0, 0.999_999)).toBe(0);
});
