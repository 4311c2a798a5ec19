import { pino } from 'pino';
import { expect, test } from 'vitest';

import { createClockOffset } from './clock-offset.ts';

const MINUTE = 60_000;
const EIGHT = Date.UTC(2026, 4, 20, 8);

function createBench() {
  const logged: Record<string, unknown>[] = [];
  const seen: [number, boolean][] = [];
  const from = performance.now();
  const state = { aheadMs: 0 };
  const trueNow = (): number => EIGHT + performance.now() - from;
  const offset = createClockOffset({
    clock: () => trueNow() + state.aheadMs,
    logger: pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    onMeasured: (ms, isTooFarOff) =>
      void seen.push([Math.round(ms / 1000) * 1000 + 0, isTooFarOff]),
  });
  const measure = () => offset.measure(async () => ({ databaseNow: trueNow() }));
  return { offset, state, trueNow, measure, logged, seen };
}

test('the time is the database’s, regardless of the process’s own clock', async () => {
  const { offset, state, trueNow, measure } = createBench();
  expect(offset.isUsable()).toBe(false);
  for (const aheadMs of [3 * MINUTE, -3 * MINUTE]) {
    state.aheadMs = aheadMs;
    await measure();
    expect(offset.isUsable()).toBe(true);
    expect(Math.abs(offset.now() - trueNow())).toBeLessThan(1_000);
    expect(Math.abs(offset.earliest() - trueNow() - Math.min(aheadMs, 0))).toBeLessThan(1_000);
  }
});

test.each([6 * MINUTE, -6 * MINUTE])(
  'a clock that is off by %i ms is unusable, raises one alarm, and is correct again later',
  async (aheadMs) => {
    const { offset, state, measure, logged, seen } = createBench();
    state.aheadMs = aheadMs;
    await measure();
    await measure();
    expect(offset.isUsable()).toBe(false);
    expect(logged).toMatchObject([{ level: 50, alarm: 'clock-skew' }]);
    state.aheadMs = 0;
    await measure();
    expect(offset.isUsable()).toBe(true);
    expect(logged).toHaveLength(2);
    expect(seen).toEqual([
      [-aheadMs, true],
      [-aheadMs, true],
      [0, false],
    ]);
  },
);

test('a clock that has jumped is unusable until it is measured again', async () => {
  const { offset, state, measure } = createBench();
  await measure();
  state.aheadMs = -MINUTE;
  expect(offset.isUsable()).toBe(false);
  await measure();
  expect(offset.isUsable()).toBe(true);
});
