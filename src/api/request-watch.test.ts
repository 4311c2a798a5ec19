import { describe, expect, test } from 'vitest';

import { createRequestWatch } from './request-watch.ts';

/** Requests in simulated time, with a check after every ten of them. */
function simulate() {
  let now = 0;
  const watch = createRequestWatch(() => now);
  /** Ten requests of this many ms each, one after the other. */
  const answer = (ms: number): boolean => {
    for (let count = 0; count < 10; count += 1) {
      const end = watch.begin();
      now += ms;
      end();
    }
    return watch.look();
  };
  const pass = (ms: number): boolean => {
    now += ms;
    return watch.look();
  };
  return { watch, answer, pass };
}

describe('requests are', () => {
  test('not slow while they take as long as they do at best', () => {
    const { answer } = simulate();
    expect([5, 10, 20, 5].map(answer)).toEqual([false, false, false, false]);
  });

  test('slow as soon as many take over 30 ms, and no longer a second after that ends', () => {
    const { answer, pass } = simulate();
    expect([5, 100].map(answer)).toEqual([false, true]);
    expect(answer(5)).toBe(true);
    expect(pass(1_000)).toBe(false);
  });

  test('slow before a single one is answered, if they wait long', () => {
    const { watch, answer, pass } = simulate();
    answer(5);
    for (let count = 0; count < 10; count += 1) watch.begin();
    expect(pass(20)).toBe(false);
    expect(pass(20)).toBe(true);
  });

  test('slow from the start, if the first ones are', () => {
    const { answer } = simulate();
    expect([1_000, 1_000].map(answer)).toEqual([true, true]);
  });

  test('not slow if the database is distant, and they have never been faster', () => {
    const { answer } = simulate();
    expect([40, 45, 100, 160].map(answer).slice(1)).toEqual([false, false, false]);
    expect(answer(250)).toBe(true);
  });

  test('not slow because of a single one that takes long by itself', () => {
    const { watch, answer, pass } = simulate();
    watch.begin();
    expect(pass(60_000)).toBe(false);
    expect([5, 5].map(answer)).toEqual([false, false]);
  });
});

describe('long work gives way', () => {
  test('while requests are slow, for longer than its last step took', async () => {
    const { watch, answer } = simulate();
    answer(5);
    answer(100);
    const startedAt = performance.now();
    await watch.giveWay(20);
    expect(performance.now() - startedAt).toBeGreaterThan(40);
  });

  test('not at all while they are quick', async () => {
    const { watch, answer } = simulate();
    answer(5);
    let isOver = false;
    void watch.giveWay(60_000).then(() => (isOver = true));
    await Promise.resolve();
    await Promise.resolve();
    expect(isOver).toBe(true);
  });
});
