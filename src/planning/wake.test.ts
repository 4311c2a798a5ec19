import { expect, test } from 'vitest';

import { wakeAt } from './wake.ts';

const DUE = Date.UTC(2026, 4, 20, 7);
const ID = '0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e9f';

test('a workflow wakes when dispatchers have had their time, within five seconds more', () => {
  const at = wakeAt(DUE, 0, ID, { afterMs: 10_000, perSecond: 15 });
  expect(at).toBeGreaterThanOrEqual(DUE + 10_000);
  expect(at).toBeLessThan(DUE + 15_000);
});

test('those of one instant wake one after the other', () => {
  const settings = { afterMs: 10_000, perSecond: 15 };
  const first = wakeAt(DUE, 0, ID, settings);
  expect(wakeAt(DUE, 15_000, ID, settings) - first).toBe(1_000_000);
});

test('without a rate, all within five seconds', () => {
  const settings = { afterMs: 10_000, perSecond: 0 };
  expect(wakeAt(DUE, 100_000, ID, settings)).toBe(wakeAt(DUE, 0, ID, settings));
});

test('without a rate and a time for dispatchers, at the due instant itself', () => {
  expect(wakeAt(DUE, 100_000, ID, { afterMs: 0, perSecond: 0 })).toBe(DUE);
});
