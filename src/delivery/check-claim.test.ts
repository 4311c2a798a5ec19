import { expect, test, vi } from 'vitest';

import { ADA, claimedAt } from '../../test/support/delivery-values.ts';
import { checkClaim, deadlineIn } from './check-claim.ts';

const HOUR = 3_600_000;
const NINE = Date.UTC(2026, 4, 20, 7);
const { lateLimitMs: LATE_LIMIT } = ADA;
const FIRST = claimedAt(NINE);

const send = (recipient = ADA) => ({ action: 'send', recipient });
const end = (reason: string) => ({ action: 'end', reason });

test('it is sent while the current inputs give it the planned instant', () => {
  expect(checkClaim(FIRST, ADA, NINE)).toEqual(send());
  const changed = { ...ADA, isAsPlanned: false };
  expect(checkClaim(FIRST, changed, NINE)).toEqual({ action: 'release' });
});

test('it is settled if the user or the occasion is deleted or suspended', () => {
  expect(checkClaim(FIRST, undefined, NINE)).toEqual(end('user_deleted'));
  const suspended = { ...ADA, suspended: true, isAsPlanned: false };
  expect(checkClaim(FIRST, suspended, NINE)).toEqual(end('suspended'));
  const gone = { ...ADA, isOccasionGone: true, isAsPlanned: false };
  expect(checkClaim(FIRST, gone, NINE)).toEqual(end('occasion_deleted'));
});

test('it is settled once the next occurrence has fallen due, even if it was attempted', () => {
  const superseded = { ...FIRST, attempt: 4, supersededAt: NINE + HOUR };
  expect(checkClaim(superseded, ADA, NINE + HOUR - 1)).toEqual(send());
  expect(checkClaim(superseded, ADA, NINE + HOUR)).toEqual(end('superseded'));
});

test('only the first attempt of a due instant can be too late', () => {
  const limit = NINE + LATE_LIMIT;
  expect(checkClaim(FIRST, ADA, limit)).toEqual(send());
  expect(checkClaim(FIRST, ADA, limit + 1)).toEqual(end('too_late'));
  expect(checkClaim({ ...FIRST, attempt: 2 }, ADA, limit + 1)).toEqual(send());
  // Attempted in May, and moved to another date since.
  const moved = { ...FIRST, attempt: 6, earlierAttempts: 5 };
  expect(checkClaim(moved, ADA, limit + 1)).toEqual(end('too_late'));
});

test('a redelivery only needs a user and an occasion that are not suspended', () => {
  const now = NINE + 900 * HOUR;
  const redelivered = { ...FIRST, redelivered: true, supersededAt: NINE + HOUR };
  const moved = { ...ADA, isAsPlanned: false };
  expect(checkClaim(redelivered, moved, now)).toEqual(send(moved));
  expect(checkClaim(redelivered, undefined, now)).toEqual(end('user_deleted'));
  const suspended = { ...ADA, suspended: true };
  expect(checkClaim(redelivered, suspended, now)).toEqual(end('suspended'));
  const gone = { ...ADA, isOccasionGone: true };
  expect(checkClaim(redelivered, gone, now)).toEqual(end('occasion_deleted'));
});

test('if its type has another destination now, it is due there, retries and redeliveries included, if it is due at all', () => {
  const elsewhere = { ...ADA, destination: 'crm' };
  const redirect = { action: 'redirect' };
  const redelivered = { ...FIRST, redelivered: true };
  for (const row of [FIRST, { ...FIRST, attempt: 2 }, redelivered]) {
    expect(checkClaim(row, elsewhere, NINE)).toEqual(redirect);
  }
  expect(checkClaim({ ...FIRST, destination: 'crm' }, elsewhere, NINE)).toEqual(send(elsewhere));
  expect(checkClaim(FIRST, elsewhere, NINE + LATE_LIMIT + 1)).toEqual(end('too_late'));
  const suspended = { ...elsewhere, suspended: true };
  expect(checkClaim(redelivered, suspended, NINE)).toEqual(end('suspended'));
  const moved = { ...elsewhere, isAsPlanned: false };
  expect(checkClaim(FIRST, moved, NINE)).toEqual({ action: 'release' });
});

test('a deadline has passed as soon as either clock says so', () => {
  let monotonic = 5_000;
  let wall = 1_000_000;
  vi.spyOn(performance, 'now').mockImplementation(() => monotonic);
  const isOver = deadlineIn(100, () => wall);
  expect(isOver()).toBe(false);

  // Suspended: one clock stood still.
  wall += 101;
  expect(isOver()).toBe(true);

  // Set back: the other went on.
  wall -= 60_000;
  expect(isOver()).toBe(false);
  monotonic += 101;
  expect(isOver()).toBe(true);
});
