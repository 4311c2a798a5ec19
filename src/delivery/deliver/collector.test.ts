import { expect, test } from 'vitest';

import { createCollector } from './collector.ts';

test('simultaneous calls are joined, and each gets its own answer', async () => {
  const asked: number[][] = [];
  const double = createCollector(async (items: readonly number[]) => {
    asked.push([...items]);
    return items.map((item) => 2 * item);
  });
  expect(await Promise.all([double(1), double(2), double(3)])).toEqual([2, 4, 6]);
  expect(await double(4)).toBe(8);
  expect(asked).toEqual([[1, 2, 3], [4]]);
});

test('one batch holds 500 calls; the rest become another', async () => {
  const sizes: number[] = [];
  const same = createCollector(async (items: readonly number[]) => {
    sizes.push(items.length);
    return items;
  });
  const items = Array.from({ length: 501 }, (_, index) => index);
  expect(await Promise.all(items.map(same))).toEqual(items);
  expect(sizes).toEqual([500, 1]);
});

test('if the joint call fails, or returns too few answers, each call fails', async () => {
  const fails = createCollector(() => Promise.reject(new Error('away')));
  const few = createCollector(async () => []);
  for (const call of [fails, few]) {
    const results = await Promise.allSettled([call(1), call(2)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  }
});
