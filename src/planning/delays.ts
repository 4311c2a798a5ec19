import type { OccasionRef } from '../ledger/types.ts';
import type { PlanOutcome } from './types.ts';

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 5 * 60_000;
/** A lease that is in force ends soon, whatever the clocks say. */
const LEASED_DELAY_MS = 5_000;

/**
 * Remembers, in this process, which occasions could not be planned: those that failed are tried
 * again after a delay that doubles up to 5 minutes, those that are being sent after a few seconds.
 */
export function createDelays() {
  const delays = new Map<string, { readonly until: number; readonly nextMs: number }>();

  return {
    isDue: (ref: OccasionRef): boolean =>
      (delays.get(nameOf(ref))?.until ?? -Infinity) <= performance.now(),

    note(outcome: PlanOutcome): void {
      const name = nameOf(outcome);
      const now = performance.now();
      if (outcome.kind === 'failed') {
        const nextMs = delays.get(name)?.nextMs ?? FIRST_DELAY_MS;
        delays.set(name, { until: now + nextMs, nextMs: Math.min(2 * nextMs, LONGEST_DELAY_MS) });
      } else if (outcome.kind === 'deferred') {
        delays.set(name, { until: now + LEASED_DELAY_MS, nextMs: FIRST_DELAY_MS });
      } else {
        delays.delete(name);
      }
    },
  };
}

function nameOf({ type, id }: OccasionRef): string {
  return `${type}/${id}`;
}
