import { expect, test } from 'vitest';

import { createRateLimit } from './rate-limit.ts';

function limit(maxPerSecond: number) {
  const clock = { now: 5_000 };
  const { take } = createRateLimit(maxPerSecond, () => clock.now);
  return { clock, take };
}

const takeMany = (take: (key: string) => number, count: number) =>
  Array.from({ length: count }, () => take('crm'));

test('allows bursts of two seconds, and returns when the next request may come', () => {
  const { take } = limit(10);
  expect(takeMany(take, 20)).toEqual(Array(20).fill(0));
  expect(take('crm')).toBe(100);
});

test('the wait that it returns is exact, and a refused request costs nothing', () => {
  const { clock, take } = limit(10);
  takeMany(take, 20);
  clock.now += 40;
  expect(takeMany(take, 3)).toEqual([60, 60, 60]);
  clock.now += 60;
  expect(takeMany(take, 2)).toEqual([0, 100]);
});

test('no more is saved up in a long pause than in two seconds', () => {
  const { clock, take } = limit(1);
  clock.now += 3_600_000;
  expect(takeMany(take, 3)).toEqual([0, 0, 1_000]);
});

test('one key does not use up the allowance of another', () => {
  const { take } = limit(1);
  takeMany(take, 2);
  expect(take('crm')).toBeGreaterThan(0);
  expect(take('billing')).toBe(0);
});
