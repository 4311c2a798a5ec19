import { expect, test } from 'vitest';

import { type NotYetSettledError, notYetSettled } from './not-yet-settled.ts';
import type { LookedRow, OccasionLook } from './occasion-look.ts';
import type { Owner } from './ownership.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NINE = Date.UTC(2026, 4, 20, 9);
const REFUSED = { status: 503, errorCode: null, sentBy: 'workflow' } as const;
const EARLY: Owner = 'early';

interface Case {
  /** Ms after the due instant. */
  readonly at?: number;
  readonly row?: Partial<LookedRow>;
  readonly owner?: Owner;
  readonly isAttempted?: boolean;
  readonly wakeAt?: number;
}

function refusal(...cases: readonly Case[]): NotYetSettledError {
  const [first] = cases;
  const look: OccasionLook = {
    databaseNow: NINE + (first?.at ?? 0),
    occasion: { wakeAt: first?.wakeAt ?? NINE, isEnded: false },
    open: [],
    isToPlan: false,
    settled: null,
  };
  const unsettled = cases.map(({ row, owner = 'dispatchers', isAttempted = false }) => ({
    row: {
      key: 'birthday:u1:2026',
      dueAt: NINE,
      nextAttemptAt: NINE,
      leaseUntil: null,
      redeliveredAt: null,
      last: null,
      destination: 'default',
      dispatchers: [],
      allowance: { isPaused: false, stoppedUntil: null, available: Infinity },
      ...row,
    },
    owner: owner as Owner,
    isAttempted,
  }));
  return notYetSettled(look, unsettled);
}

test.each([
  [12 * SECOND, 15 * SECOND],
  [40 * SECOND, 40 * SECOND],
  [24 * HOUR, 15 * MINUTE],
])('a row that is %i ms late is checked again after %i', (at, retryInMs) => {
  expect(refusal({ at })).toMatchObject({ retryInMs });
});

test('the lateness of a redelivery counts from its request', () => {
  const at = 24 * HOUR;
  const row = { redeliveredAt: NINE + at - 30 * SECOND };
  expect(refusal({ at, row })).toMatchObject({ retryInMs: 30 * SECOND });
});

test('after its own attempt, it returns for the next one, but not within a second', () => {
  const row = { nextAttemptAt: NINE + 14 * SECOND, last: REFUSED };
  const own = { at: 4 * SECOND, row, owner: EARLY, isAttempted: true };
  expect(refusal(own)).toMatchObject({
    message: '503, next attempt at 09:00:14Z',
    retryInMs: 10 * SECOND,
  });
  expect(refusal({ ...own, at: 13_900 })).toMatchObject({ retryInMs: SECOND });
});

test('after an attempt by others, it returns no sooner than for one in flight', () => {
  const last = { status: null, errorCode: 'ECONNREFUSED', sentBy: 'dispatcher' } as const;
  const row = { nextAttemptAt: NINE + 14 * SECOND, last };
  expect(refusal({ at: 13 * SECOND, row, owner: EARLY })).toMatchObject({
    message: 'ECONNREFUSED, next attempt at 09:00:14Z',
    retryInMs: 15 * SECOND,
  });
});

test('a next attempt on another day is given with its date', () => {
  const row = { nextAttemptAt: NINE + 24 * HOUR, last: REFUSED };
  expect(refusal({ row, owner: EARLY }).message).toBe('503, next attempt at 2026-05-21T09:00:00Z');
});

test('while paused, it returns every hour, or sooner for a wake before that', () => {
  const paused: Owner = 'paused';
  expect(refusal({ at: MINUTE, owner: paused })).toMatchObject({ retryInMs: HOUR });
  const wakeAt = NINE + 11 * MINUTE;
  expect(refusal({ at: MINUTE, owner: paused, wakeAt })).toMatchObject({ retryInMs: 10 * MINUTE });
});

test('of several rows, the first to check decides, and is named', () => {
  const redelivered = { nextAttemptAt: NINE + HOUR, last: REFUSED };
  const refused = refusal({ at: 12 * SECOND, row: redelivered, owner: EARLY }, {});
  expect(refused).toMatchObject({ message: 'dispatchers are sending', retryInMs: 15 * SECOND });
});
