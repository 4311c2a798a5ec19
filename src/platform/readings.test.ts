import { Registry } from 'prom-client';
import { pino } from 'pino';
import { expect, test } from 'vitest';

import { shared } from './async.ts';
import { createReadings } from './readings.ts';

const METRIC = ['daybell_things', 'Things.'] as const;

function createBench() {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const registry = new Registry();
  return { lines, registry, readings: createReadings(registry, logger) };
}

test('callers during a reading share it; a later one gets a new reading', async () => {
  let count = 0;
  const read = shared(async () => ++count);
  expect(await Promise.all([read(), read(), read()])).toEqual([1, 1, 1]);
  expect(await read()).toBe(2);
});

test('simultaneous scrapes share a reading', async () => {
  const { registry, readings } = createBench();
  let count = 0;
  readings.gauge(...METRIC, async () => ++count);
  const pages = await Promise.all([registry.metrics(), registry.metrics()]);
  for (const page of pages) expect(page).toMatch(/^daybell_things 1$/m);
});

test('a reading that fails removes its old value, and is logged once until it recovers', async () => {
  const { lines, registry, readings } = createBench();
  let away = false;
  readings.gauge(...METRIC, async () => {
    if (away) throw new Error('away');
    return 7;
  });
  expect(await registry.metrics()).toMatch(/^daybell_things 7$/m);

  away = true;
  for (let scrape = 0; scrape < 3; scrape++) {
    expect(await registry.metrics()).not.toMatch(/^daybell_things /m);
  }
  expect(lines).toMatchObject([{ level: 40, metric: 'daybell_things' }]);

  away = false;
  const page = await registry.metrics();
  expect(page).toMatch(/^daybell_things 7$/m);
  expect(page).toMatch(/^daybell_metrics_read_errors_total\{metric="daybell_things"\} 3$/m);
});
