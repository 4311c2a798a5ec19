import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { kept, lastKnown } from './async.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A read that takes this long, and returns how often it was made. */
function reads(tookMs: number) {
  let made = 0;
  return async (): Promise<number> => {
    made += 1;
    vi.advanceTimersByTime(tookMs);
    return made;
  };
}

describe('a kept value', () => {
  test('is read once for all who ask meanwhile, and again after its time', async () => {
    const ask = kept(reads(0), 1_000);
    expect(await Promise.all([ask(), ask()])).toEqual([1, 1]);
    vi.advanceTimersByTime(999);
    expect(await ask()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await ask()).toBe(2);
  });

  test('is kept ten times as long as reading it took', async () => {
    const ask = kept(reads(500), 1_000);
    expect(await ask()).toBe(1);
    vi.advanceTimersByTime(4_999);
    expect(await ask()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await ask()).toBe(2);
  });

  test('is never a failure', async () => {
    const read = vi.fn<() => Promise<string>>();
    read.mockRejectedValueOnce(new Error('away')).mockResolvedValue('back');
    const ask = kept(read, 1_000);
    await expect(ask()).rejects.toThrow('away');
    expect(await ask()).toBe('back');
  });
});

test('the last known value is returned at once, and read again in the background', async () => {
  const read = vi.fn<() => Promise<string>>();
  read.mockResolvedValueOnce('first').mockRejectedValueOnce(new Error('away'));
  const ask = lastKnown(read, 5_000);
  expect(ask()).toBeUndefined();
  await vi.waitFor(() => expect(ask()).toBe('first'));
  expect(read).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(5_000);
  expect(ask()).toBe('first');
  await vi.waitFor(() => expect(ask()).toBeNull());
});

/** Each read is answered by hand; the first one at once. */
function slowReads() {
  const reads: PromiseWithResolvers<number>[] = [];
  return {
    reads,
    async read(): Promise<number> {
      const made = Promise.withResolvers<number>();
      reads.push(made);
      if (reads.length === 1) made.resolve(1);
      return made.promise;
    },
  };
}

/** Reads, and waits until the value is no longer kept: ten times as long as reading it took. */
async function readOnce(find: () => Promise<number>): Promise<number> {
  const startedAt = performance.now();
  const value = await find();
  const tookMs = performance.now() - startedAt;
  await sleep(20 + 10 * tookMs);
  return value;
}

describe('a value that is not the newest', () => {
  beforeEach(() => {
    vi.useRealTimers();
  });

  test('is returned while a read takes long, and the new one once it has arrived', async () => {
    const { reads, read } = slowReads();
    const find = kept(read, 0, { waitMs: 1, maxAgeMs: 3_600_000 });
    expect(await readOnce(find)).toBe(1);
    expect(await find()).toBe(1);
    expect(await find()).toBe(1);
    expect(reads).toHaveLength(2);
    reads[1]?.resolve(2);
    await reads[1]?.promise;
    await expect.poll(find).toBe(2);
  });

  test('is not returned if it is too old', async () => {
    const { reads, read } = slowReads();
    const find = kept(read, 0, { waitMs: 1, maxAgeMs: 10 });
    expect(await readOnce(find)).toBe(1);
    const second = find();
    reads[1]?.resolve(2);
    expect(await second).toBe(2);
  });

  test('does not hide that a read has failed', async () => {
    const { reads, read } = slowReads();
    const find = kept(read, 0, { waitMs: 3_600_000, maxAgeMs: 3_600_000 });
    expect(await readOnce(find)).toBe(1);
    const second = find();
    reads[1]?.reject(new Error('the database is away'));
    await expect(second).rejects.toThrow('the database is away');
  });
});
