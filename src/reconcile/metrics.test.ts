import { expect, test } from 'vitest';

import { createMetrics } from '../platform/metrics.ts';
import { createReconcileMetrics } from './metrics.ts';

test('each kind is counted from 0, and rounds add up', async () => {
  const registry = createMetrics();
  const metrics = createReconcileMetrics(registry, ['unplanned', 'impossible']);
  const round = { detected: { unplanned: 3 }, repaired: { unplanned: 2 } };
  metrics.round(round);
  metrics.round(round);
  const failing = metrics.step(() => Promise.reject(new Error('away')));
  await expect(failing).rejects.toThrow('away');

  const page = await registry.metrics();
  expect(page).toContain('daybell_missed_detected_total{kind="unplanned"} 6');
  expect(page).toContain('daybell_missed_repaired_total{kind="unplanned"} 4');
  expect(page).toContain('daybell_missed_detected_total{kind="impossible"} 0');
  expect(page).not.toContain('kind="stray"');
  expect(page).toContain('daybell_reconcile_steps_total{result="failed"} 1');
});
