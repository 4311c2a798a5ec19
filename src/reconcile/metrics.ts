import { Counter, Histogram } from 'prom-client';

import type { Registry } from '../platform/metrics.ts';
import type { FindingCounts, FindingKind } from '../workflows/maintenance-contract.ts';
import type { ReconcileObserver } from './round.ts';

/** From a look at little to one that plans 10,000 occasions. */
const DURATION_BUCKETS = [0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600];

/**
 * Counts what rounds of the reconciler come to, on a registry.
 *
 * @param kinds those that this process looks for: counted from 0
 */
export function createReconcileMetrics(
  registry: Registry,
  kinds: readonly FindingKind[],
): ReconcileObserver {
  const registers = [registry];
  const labelNames = ['kind'];
  const detected = new Counter({
    name: 'daybell_missed_detected_total',
    help: 'What the reconciler has found to be amiss, by what it is.',
    labelNames,
    registers,
  });
  const repaired = new Counter({
    name: 'daybell_missed_repaired_total',
    help: 'Of what was found, what is no longer so.',
    labelNames,
    registers,
  });
  const unrepaired = new Counter({
    name: 'daybell_missed_unrepaired_total',
    help: 'Of what was found, what was still so after it was tried to repair.',
    labelNames,
    registers,
  });
  const duration = new Histogram({
    name: 'daybell_reconcile_duration_seconds',
    help: 'How long a round of the reconciler took, with repairs.',
    buckets: DURATION_BUCKETS,
    registers,
  });
  const steps = new Counter({
    name: 'daybell_reconcile_steps_total',
    help: "Steps of the reconciler's rounds, by whether they succeeded or failed.",
    labelNames: ['result'],
    registers,
  });
  // A series that begins with its first event hides that event from `rate`.
  for (const kind of kinds) {
    for (const counter of [detected, repaired, unrepaired]) counter.inc({ kind }, 0);
  }
  for (const result of ['succeeded', 'failed']) steps.inc({ result }, 0);

  return {
    round(counts) {
      count(detected, counts.detected);
      count(repaired, counts.repaired);
      count(unrepaired, counts.unrepaired);
      duration.observe(counts.durationMs / 1000);
    },
    step: (result) => steps.inc({ result }),
  };
}

function count(counter: Counter, counts: FindingCounts): void {
  for (const [kind, found] of Object.entries(counts)) counter.inc({ kind }, found);
}
