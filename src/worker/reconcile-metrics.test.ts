import { expect, test } from 'vitest';

import { createMetrics } from '../observability/metrics.ts';
import { createReconcileMetrics } from './reconcile-metrics.ts';

test('each kind is counted from 0, and rounds add up', async () => {
  const registry = createMetrics();
  const { concluded } = createReconcileMetrics(registry);
  const round = { detected: { unplanned: 3 }, repaired: { unplanned: 2 }, durationMs: 1_500 };
  concluded({ ...round, unrepaired: { unplanned: 1 } });
  concluded({ ...round, unrepaired: {} });

  const page = await registry.metrics();
  expect(page).toContain('daybell_missed_detected_total{kind="unplanned"} 6');
  expect(page).toContain('daybell_missed_repaired_total{kind="unplanned"} 4');
  expect(page).toContain('daybell_missed_unrepaired_total{kind="unplanned"} 1');
  expect(page).toContain('daybell_missed_detected_total{kind="store_lost"} 0');
  expect(page).toContain('daybell_reconcile_duration_seconds_sum 3');
});
