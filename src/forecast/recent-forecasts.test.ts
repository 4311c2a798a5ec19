import { expect, test } from 'vitest';

import { createRecentForecasts } from './recent-forecasts.ts';

const UNTIL = 1_000_000;
const MAX_AGE = 600;

/** Computes a number: how many were computed before it. */
function openForecasts() {
  const state = { now: 0, computed: 0, isAway: false };
  const find = createRecentForecasts(
    async () => {
      if (state.isAway) throw new Error('the database is away');
      state.computed += 1;
      return state.computed;
    },
    () => state.now,
  );
  return { state, find };
}

test('a recent one is returned for the same end and type, and for no other', async () => {
  const { state, find } = openForecasts();
  expect(await find(UNTIL, null, MAX_AGE)).toBe(1);
  state.now = MAX_AGE / 2;
  expect(await find(UNTIL, null, MAX_AGE)).toBe(1);
  expect(await find(UNTIL, 'birthday', MAX_AGE)).toBe(2);
  expect(await find(UNTIL + 1, null, MAX_AGE)).toBe(3);
  expect(await find(UNTIL, null, MAX_AGE / 4)).toBe(4);
});

test('after half of its lifetime the next one is computed in the background', async () => {
  const { state, find } = openForecasts();
  await find(UNTIL, null, MAX_AGE);
  state.now = MAX_AGE / 2 + 1;
  expect(await find(UNTIL, null, MAX_AGE)).toBe(1);
  await expect.poll(() => find(UNTIL, null, MAX_AGE)).toBe(2);
  expect(state.computed).toBe(2);
});

test('one that is too old is not returned, and simultaneous requests share a new one', async () => {
  const { state, find } = openForecasts();
  await find(UNTIL, null, MAX_AGE);
  state.now = MAX_AGE + 1;
  const asked = [find(UNTIL, null, MAX_AGE), find(UNTIL, null, MAX_AGE)];
  expect(await Promise.all(asked)).toEqual([2, 2]);
});

test('an error reaches only those who wait for it, and leaves the existing one alone', async () => {
  const { state, find } = openForecasts();
  await find(UNTIL, null, MAX_AGE);
  state.isAway = true;
  state.now = MAX_AGE / 2 + 1;
  expect(await find(UNTIL, null, MAX_AGE)).toBe(1);
  state.now = MAX_AGE + 1;
  await expect(find(UNTIL, null, MAX_AGE)).rejects.toThrow('the database is away');
});
