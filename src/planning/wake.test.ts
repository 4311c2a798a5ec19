import { describe, expect, it, test } from 'vitest';

import { spreadOf, wakeAt } from './wake.ts';

const DUE = Date.UTC(2026, 4, 20, 7);
const ID = '0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e9f';

test("a workflow wakes after the dispatchers' time, within five more seconds", () => {
  const at = wakeAt(DUE, 0, ID, { afterMs: 10_000, perSecond: 15 });
  expect(at).toBeGreaterThanOrEqual(DUE + 10_000);
  expect(at).toBeLessThan(DUE + 15_000);
});

test('those of one instant wake one after the other', () => {
  const settings = { afterMs: 10_000, perSecond: 15 };
  const first = wakeAt(DUE, 0, ID, settings);
  expect(wakeAt(DUE, 135, ID, settings) - first).toBe(9_000);
  expect(wakeAt(DUE, 15_000, ID, settings) - wakeAt(DUE, 150, ID, settings)).toBe(990_000);
});

test('from the hundred and fiftieth on, two minutes later: dispatchers are done with any herd', () => {
  const settings = { afterMs: 10_000, perSecond: 15 };
  expect(wakeAt(DUE, 150, ID, settings)).toBeGreaterThanOrEqual(DUE + 140_000);
});

test('without a rate, all wake within five seconds', () => {
  const settings = { afterMs: 10_000, perSecond: 0 };
  expect(wakeAt(DUE, 100_000, ID, settings)).toBe(wakeAt(DUE, 0, ID, settings));
});

test('without a rate and a time for dispatchers, all wake at the due instant itself', () => {
  expect(wakeAt(DUE, 100_000, ID, { afterMs: 0, perSecond: 0 })).toBe(DUE);
});

const BUCKETS = 50;
const IDS = 50_000;

const kinds: [string, (index: number) => string][] = [
  ['version 7, of one moment', (index) => `01890a5d-ac96-7${hex(index, 3)}-8000-${hex(index, 12)}`],
  ['that count up', (index) => `user-${index}`],
  [
    'that differ in the first character only a little',
    (index) => `${index}-same-tail-for-everybody`,
  ],
];

describe('the spread of ids', () => {
  it.each(kinds)('is even over ids %s', (_name, idOf) => {
    const counts = Array.from({ length: BUCKETS }, () => 0);
    for (let index = 0; index < IDS; index += 1) {
      const bucket = Math.floor(spreadOf(idOf(index), 'arm') * BUCKETS);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    const expected = IDS / BUCKETS;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 49 degrees of freedom: an even spread is above 95 once in ten thousand.
    expect(chiSquare).toBeLessThan(95);
  });

  it('is the same in every process and version', () => {
    expect(spreadOf('01890a5d-ac96-774b-bcce-b302099a8057', 'arm')).toBe(0.20857673208229244);
  });

  it('with one salt says nothing about that with another', () => {
    let sum = 0;
    for (let index = 0; index < 10_000; index += 1) {
      sum +=
        (spreadOf(`user-${index}`, 'arm') - 0.5) * (spreadOf(`user-${index}`, 'recheck') - 0.5);
    }
    // Correlation: 12 times the covariance of two even spreads.
    expect(Math.abs((12 * sum) / 10_000)).toBeLessThan(0.05);
  });
});

function hex(value: number, digits: number): string {
  return (value % 16 ** digits).toString(16).padStart(digits, '0');
}
