import { metricsOn, type Registry } from '../platform/metrics.ts';
import type { FindingCounts, FindingKind } from '../workflows/maintenance-contract.ts';
import type { Round } from './findings.ts';

/**
 * Counts the results of the reconciler's rounds.
 *
 * @param kinds the kinds that this process looks for, which are counted from 0
 */
export function createReconcileMetrics(registry: Registry, kinds: readonly FindingKind[]) {
  const { counterBy } = metricsOn(registry);
  const byKind = (name: string, help: string) => {
    const count = counterBy('kind', kinds, name, help);
    return (counts: FindingCounts): void => {
      for (const kind of kinds) count(kind, counts[kind] ?? 0);
    };
  };
  const detected = byKind(
    'daybell_missed_detected_total',
    'Faults found by the reconciler, by kind.',
  );
  const repaired = byKind('daybell_missed_repaired_total', 'Findings that no longer hold.');
  const step = counterBy(
    'result',
    ['succeeded', 'failed'],
    'daybell_reconcile_steps_total',
    "Steps of the reconciler's rounds, by whether they succeeded or failed.",
  );

  return {
    round(counts: Pick<Round, 'detected' | 'repaired'>): void {
      detected(counts.detected);
      repaired(counts.repaired);
    },
    /** Counts a step, unless the process stops meanwhile. */
    async step<Result>(run: () => Promise<Result>, stopping?: AbortSignal): Promise<Result> {
      try {
        const result = await run();
        step('succeeded');
        return result;
      } catch (error) {
        if (!stopping?.aborted) step('failed');
        throw error;
      }
    },
  };
}
