import { Counter } from 'prom-client';

import type { Registry } from '../platform/metrics.ts';
import type { FindingKind } from '../workflows/maintenance-contract.ts';
import type { Round } from './findings.ts';

/**
 * Counts what rounds of the reconciler come to.
 *
 * @param kinds those that this process looks for: counted from 0
 */
export function createReconcileMetrics(registry: Registry, kinds: readonly FindingKind[]) {
  const registers = [registry];
  const detected = new Counter({
    name: 'daybell_missed_detected_total',
    help: 'What the reconciler has found to be amiss, by what it is.',
    labelNames: ['kind'],
    registers,
  });
  const repaired = new Counter({
    name: 'daybell_missed_repaired_total',
    help: 'Of what was found, what is no longer so.',
    labelNames: ['kind'],
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
    for (const counter of [detected, repaired]) counter.inc({ kind }, 0);
  }
  for (const result of ['succeeded', 'failed']) steps.inc({ result }, 0);

  return {
    round(counts: Pick<Round, 'detected' | 'repaired'>): void {
      for (const [kind, count] of Object.entries(counts.detected)) detected.inc({ kind }, count);
      for (const [kind, count] of Object.entries(counts.repaired)) repaired.inc({ kind }, count);
    },
    /** Counts a step, unless the process stops meanwhile. */
    async step<Result>(run: () => Promise<Result>, stopping?: AbortSignal): Promise<Result> {
      try {
        const result = await run();
        steps.inc({ result: 'succeeded' });
        return result;
      } catch (error) {
        if (!stopping?.aborted) steps.inc({ result: 'failed' });
        throw error;
      }
    },
  };
}
