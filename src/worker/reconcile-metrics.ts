import { Counter, Histogram } from 'prom-client';

import type { FindingCounts, FindingKind } from '../domain/reconcile-messages.ts';
import type { ReconcileObserver } from '../events/reconciliation.ts';
import type { Registry } from '../observability/metrics.ts';

/** From a look at little to a round that tells 5,000 followers and awaits them. */
const DURATION_BUCKETS = [0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600];

/** Complete: a kind that is not here would not be counted from 0. */
const KINDS: Readonly<Record<FindingKind, true>> = {
  unattempted: true,
  stalled_redelivery: true,
  unchecked: true,
  unfollowed: true,
  unplanned: true,
  orphaned: true,
  unreported: true,
  store_lost: true,
  set_aside: true,
};

/** Counts what the reconciler's rounds come to, on a registry. */
export function createReconcileMetrics(registry: Registry): ReconcileObserver {
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
  // A series that begins with its first event hides that event from `rate`.
  for (const kind of Object.keys(KINDS)) {
    for (const counter of [detected, repaired, unrepaired]) counter.inc({ kind }, 0);
  }

  return {
    concluded(round) {
      count(detected, round.detected);
      count(repaired, round.repaired);
      count(unrepaired, round.unrepaired);
      duration.observe(round.durationMs / 1000);
    },
  };
}

function count(counter: Counter, counts: FindingCounts): void {
  for (const [kind, found] of Object.entries(counts)) counter.inc({ kind }, found);
}
