import { expect, test } from 'vitest';

import { createBatcher } from './batcher.ts';

function createBench(write: (items: readonly string[]) => Promise<readonly string[]>) {
  return createBatcher<string>({
    write,
    onWritten: () => {},
    onFailure: () => {},
    waitMs: 1,
    maxBatch: 2,
  });
}

test('items that could not be written are written again, after the others', async () => {
  const written: string[][] = [];
  const batcher = createBench(async (items) => {
    written.push([...items]);
    return written.length === 1 ? items.slice(0, 1) : [];
  });
  const done: string[] = [];
  for (const item of ['locked', 'b', 'c']) void batcher.add(item).then(() => done.push(item));
  expect(await batcher.drain(10_000)).toBe(0);
  expect(written).toEqual([
    ['locked', 'b'],
    ['c', 'locked'],
  ]);
  expect(done).toEqual(['b', 'c', 'locked']);
  expect(batcher.isFailing).toBe(false);
});

test('a write that hangs counts as failing before it fails', async () => {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>();
  const batcher = createBench(() => promise);
  void batcher.add('a');
  expect(batcher.isFailing).toBe(false);
  await expect.poll(() => batcher.isFailing, { timeout: 60_000 }).toBe(true);
  resolve([]);
  expect(await batcher.drain(10_000)).toBe(0);
  expect(batcher.isFailing).toBe(false);
});

test('draining returns how many are left when the time is over', async () => {
  const batcher = createBench(() => new Promise(() => {}));
  for (const item of ['a', 'b', 'c']) void batcher.add(item);
  expect(await batcher.drain(50)).toBe(3);
});
