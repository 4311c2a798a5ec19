import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';
import { expect, test } from 'vitest';

import type { RecordedAttempt } from '../../ledger/types.ts';
import type { Backpressure } from './backpressure.ts';
import { createBackpressureWatch } from './backpressure-watch.ts';
import type { Throttled } from './throttle.ts';

function createBench(
  throttle: (asked: Backpressure) => Promise<Throttled> = async () => UNCHANGED,
) {
  const applied: Backpressure['asks'][] = [];
  let slowed = 0;
  let failures = 0;
  const watch = createBackpressureWatch({
    destination: 'default',
    ledger: {
      applyThrottle(asked) {
        applied.push(asked.asks);
        return throttle(asked);
      },
    },
    health: { failed: () => void (failures += 1) },
    logger: pino({ level: 'silent' }),
  });
  watch.onSlowed(() => (slowed += 1));
  /** Requests that were all in flight at once; null for one without a response. */
  const answer = (...statuses: (number | null)[]): void => {
    const began = statuses.map(() => watch.began());
    for (const [index, status] of statuses.entries()) {
      watch.ended(attemptWith(status), began[index] ?? 0);
    }
  };
  return { watch, applied, answer, slowed: () => slowed, failures: () => failures };
}

const UNCHANGED: Throttled = { changed: false, slowDown: null };

function attemptWith(status: number | null): RecordedAttempt {
  const slowsDestination = status === 503 || status === 429;
  return { status, slowsDestination, retryAfterMs: null } as RecordedAttempt;
}

const many = (count: number, status: number): number[] =>
  Array.from({ length: count }, () => status);

test('a destination that refuses is slowed at once, before anything is written', () => {
  const bench = createBench();
  bench.answer(...many(9, 503), 200, 503);
  expect(bench.slowed()).toBe(1);
  expect(bench.applied).toEqual(['stop']);
});

test('once slowed, responses to earlier requests are ignored', async () => {
  const bench = createBench();
  const before = many(30, 0).map(() => bench.watch.began());
  bench.answer(...many(40, 503));
  for (const began of before) bench.watch.ended(attemptWith(503), began);
  await bench.watch.stop();
  expect(bench.applied).toEqual(['stop']);
});

test('forgetting, because another process has slowed it, has the same effect', async () => {
  const bench = createBench();
  const began = bench.watch.began();
  bench.watch.forget();
  bench.watch.ended(attemptWith(503), began);
  await bench.watch.stop();
  expect(bench.applied).toEqual([]);
});

test('a few refusals among thousands have no effect', () => {
  const bench = createBench();
  for (let index = 0; index < 30; index += 1) bench.answer(...many(99, 200), 503);
  expect(bench.slowed()).toBe(0);
});

test('one in ten is too many', () => {
  const bench = createBench();
  for (let index = 0; index < 10; index += 1) bench.answer(...many(9, 200), 503);
  expect(bench.applied).toContain('less');
});

test('one that served thousands and then refuses gets less, and is stopped if that does not help', async () => {
  const bench = createBench();
  bench.answer(...many(3000, 200));
  bench.answer(...many(50, 503));
  expect(bench.applied).toEqual(['less']);
  bench.answer(...many(10, 503));
  await expect.poll(() => bench.applied).toEqual(['less', 'stop']);
});

test('success is applied now and then, not each time', async () => {
  const bench = createBench();
  for (let index = 0; index < 50; index += 1) bench.answer(200, 404);
  await expect.poll(() => bench.applied).toEqual(['more']);
  bench.answer(200);
  await expect.poll(() => bench.applied).toEqual(['more', 'more']);
});

test('neither a timeout nor a 500 speeds it up or slows it down', async () => {
  const bench = createBench();
  bench.answer(...many(100, 500));
  bench.answer(null, null);
  await expect.poll(() => bench.applied).toEqual(['nothing']);
  expect(bench.slowed()).toBe(0);
});

test('what is seen during an update is applied afterwards', async () => {
  const answers: ((throttled: Throttled) => void)[] = [];
  const bench = createBench(() => new Promise((resolve) => answers.push(resolve)));
  bench.answer(200);
  await expect.poll(() => bench.applied).toEqual(['more']);
  bench.answer(...many(10, 503));
  bench.answer(200);
  await sleep(0);
  expect(bench.applied).toEqual(['more']);
  answers[0]?.(UNCHANGED);
  await expect.poll(() => bench.applied).toEqual(['more', 'stop']);
});

test('it keeps going while the database is down', async () => {
  const bench = createBench(() => Promise.reject(new Error('away')));
  bench.answer(503);
  await expect.poll(bench.failures).toBe(1);
  bench.answer(503);
  await expect.poll(bench.failures).toBe(2);
});

test('once it is stopped, nothing more is applied, not even what arrives during the last update', async () => {
  const throttling = Promise.withResolvers<Throttled>();
  const bench = createBench(() => throttling.promise);
  bench.answer(...many(10, 503));
  const stopped = bench.watch.stop();
  bench.answer(200);
  throttling.resolve(UNCHANGED);
  await stopped;
  // Longer than it waits before an update.
  await sleep(300);
  expect(bench.applied).toEqual(['stop']);
});
