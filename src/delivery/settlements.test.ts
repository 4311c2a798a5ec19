import { expect, test } from 'vitest';

import type { DeliveryLedger, RecordedAttempt } from '../events/ports.ts';
import { createSettlements } from './settlements.ts';

test('an outcome is unwritten until the ledger has it, locked rows and failures included', async () => {
  const writes: ((left: readonly RecordedAttempt[] | Error) => void)[] = [];
  const record: DeliveryLedger['record'] = () =>
    new Promise((resolve, reject) => {
      writes.push((left) => (left instanceof Error ? reject(left) : resolve({ left, lost: [] })));
    });
  const settlements = createSettlements(
    { record, release: async () => [], giveBack: async () => [] },
    { ok: () => {}, failed: () => {} },
  );
  const attempts = ['locked', 'free'].map((key) => ({ key }) as RecordedAttempt);
  for (const attempt of attempts) settlements.record(attempt);
  const unwritten = () => ['locked', 'free', 'other'].filter(settlements.isUnwritten);

  await expect.poll(() => writes.length).toBe(1);
  writes[0]?.(new Error('away'));
  await expect.poll(() => writes.length).toBe(2);
  expect(unwritten()).toEqual(['locked', 'free']);
  writes[1]?.(attempts.slice(0, 1));
  await expect.poll(() => writes.length).toBe(3);
  expect(unwritten()).toEqual(['locked']);
  writes[2]?.([]);
  await expect.poll(unwritten).toEqual([]);
});
