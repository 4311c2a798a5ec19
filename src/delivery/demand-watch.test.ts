import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';
import { expect, test } from 'vitest';

import type { Demand } from '../domain/destination-demand.ts';
import type { Heeded, RecordedAttempt } from '../events/ports.ts';
import { createDemandWatch } from './demand-watch.ts';

function createBench(heed: (demand: Demand) => Promise<Heeded> = async () => UNCHANGED) {
  const told: Demand['asks'][] = [];
  let slowed = 0;
  let failures = 0;
  const watch = createDemandWatch({
    ledger: {
      heed(demand) {
        told.push(demand.asks);
        return heed(demand);
      },
    },
    health: { ok() {}, failed: () => void (failures += 1) },
    logger: pino({ level: 'silent' }),
    onSlowed: () => (slowed += 1),
  });
  /** Requests that were all on the wire at once; null for one without an answer. */
  const answer = (...statuses: (number | null)[]): void => {
    const began = statuses.map(() => watch.began());
    for (const [index, status] of statuses.entries()) {
      watch.ended(attemptWith(status), began[index] ?? 0);
    }
  };
  return { watch, told, answer, slowed: () => slowed, failures: () => failures };
}

const UNCHANGED: Heeded = { changed: false, slowDown: null };

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
  expect(bench.told).toEqual(['stop']);
});

test('once slowed, answers to what was sent before are not heard', async () => {
  const bench = createBench();
  const before = many(30, 0).map(() => bench.watch.began());
  bench.answer(...many(40, 503));
  for (const began of before) bench.watch.ended(attemptWith(503), began);
  await bench.watch.stop();
  expect(bench.told).toEqual(['stop']);
});

test('forgetting, because another process has slowed it, is the same', async () => {
  const bench = createBench();
  const began = bench.watch.began();
  bench.watch.forget();
  bench.watch.ended(attemptWith(503), began);
  await bench.watch.stop();
  expect(bench.told).toEqual([]);
});

test('a few refusals among thousands are nothing', () => {
  const bench = createBench();
  for (let index = 0; index < 30; index += 1) bench.answer(...many(99, 200), 503);
  expect(bench.slowed()).toBe(0);
});

test('one in ten is too much', () => {
  const bench = createBench();
  for (let index = 0; index < 10; index += 1) bench.answer(...many(9, 200), 503);
  expect(bench.told).toContain('less');
});

test('one that served thousands and then refuses gets less, and is stopped if that is no help', async () => {
  const bench = createBench();
  bench.answer(...many(3000, 200));
  bench.answer(...many(50, 503));
  expect(bench.told).toEqual(['less']);
  bench.answer(...many(10, 503));
  await expect.poll(() => bench.told).toEqual(['less', 'stop']);
});

test('that it serves is told now and then, not each time', async () => {
  const bench = createBench();
  for (let index = 0; index < 50; index += 1) bench.answer(200, 404);
  await expect.poll(() => bench.told).toEqual(['more']);
  bench.answer(200);
  await expect.poll(() => bench.told).toEqual(['more', 'more']);
});

test('neither a timeout nor a 500 speeds it up or slows it down', async () => {
  const bench = createBench();
  bench.answer(...many(100, 500));
  bench.answer(null, null);
  await expect.poll(() => bench.told).toEqual(['nothing']);
  expect(bench.slowed()).toBe(0);
});

test('what is heard while the ledger is told is told afterwards', async () => {
  const answers: ((heeded: Heeded) => void)[] = [];
  const bench = createBench(() => new Promise((resolve) => answers.push(resolve)));
  bench.answer(200);
  await expect.poll(() => bench.told).toEqual(['more']);
  bench.answer(...many(10, 503));
  bench.answer(200);
  await sleep(0);
  expect(bench.told).toEqual(['more']);
  answers[0]?.(UNCHANGED);
  await expect.poll(() => bench.told).toEqual(['more', 'stop']);
});

test('a database that is away is no end', async () => {
  const bench = createBench(() => Promise.reject(new Error('away')));
  bench.answer(503);
  await expect.poll(bench.failures).toBe(1);
  bench.answer(503);
  await expect.poll(bench.failures).toBe(2);
});

test('once it is stopped, nothing more is told, also of what comes while the last is', async () => {
  const heeding = Promise.withResolvers<Heeded>();
  const bench = createBench(() => heeding.promise);
  bench.answer(...many(10, 503));
  const stopped = bench.watch.stop();
  bench.answer(200);
  heeding.resolve(UNCHANGED);
  await stopped;
  // Longer than it collects before it tells.
  await sleep(300);
  expect(bench.told).toEqual(['stop']);
});
