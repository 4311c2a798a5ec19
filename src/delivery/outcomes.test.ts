import { Registry } from 'prom-client';
import { expect, test } from 'vitest';

import type { Ledger } from '../ledger/ledger.ts';
import type { RecordedAttempt } from '../ledger/types.ts';
import { createDeliveryMetrics } from './metrics.ts';
import { createOutcomes } from './outcomes.ts';

test('an outcome is unwritten until the ledger has it, locked rows and failures included', async () => {
  const writes: ((locked: readonly RecordedAttempt[] | Error) => void)[] = [];
  const record: Ledger['record'] = () =>
    new Promise((resolve, reject) => {
      writes.push((locked) =>
        locked instanceof Error ? reject(locked) : resolve({ locked, lost: [] }),
      );
    });
  const outcomes = createOutcomes({
    ledger: { record, release: async () => [], end: async () => [], returnToQueue: async () => [] },
    health: { ok: () => {}, failed: () => {} },
    metrics: createDeliveryMetrics(new Registry(), 0),
    waitMs: 50,
  });
  const attempts = ['locked', 'free'].map(
    (key) => ({ key, durationMs: 1, next: { kind: 'retry' } }) as RecordedAttempt,
  );
  const written: string[] = [];
  for (const attempt of attempts) {
    void outcomes.record(attempt).then(() => written.push(attempt.key));
  }
  const unwritten = () => ['locked', 'free', 'other'].filter(outcomes.unwritten);

  await expect.poll(() => writes.length).toBe(1);
  expect(outcomes.isFailing).toBe(false);
  writes[0]?.(new Error('away'));
  await expect.poll(() => writes.length).toBe(2);
  expect(outcomes.isFailing).toBe(true);
  expect(unwritten()).toEqual(['locked', 'free']);
  writes[1]?.(attempts.slice(0, 1));
  await expect.poll(() => writes.length).toBe(3);
  expect(unwritten()).toEqual(['locked']);
  expect(written).toEqual(['free']);
  writes[2]?.([]);
  await expect.poll(unwritten).toEqual([]);
  expect(written).toEqual(['free', 'locked']);
});
