import { expect, test } from 'vitest';

import { retryPauseMs, withJitter } from './retry-schedule.ts';

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
