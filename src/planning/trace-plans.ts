import { continuesTrace } from '../domain/trace-point.ts';
import type { OccurrenceTraces } from '../ledger/occurrence-traces.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Tracing } from '../observability/tracing.ts';
import type { PlannedEntry, TracedPlanning } from './outbox-consumer.ts';
import type { PlanOutcome } from './types.ts';

export interface TracePlansDeps {
  readonly tracing: Tracing;
  readonly traces: OccurrenceTraces;
  readonly logger: Logger;
  /** Epoch ms. */
  readonly clock: () => number;
}

/**
 * Planning that goes on with the trace of the request that made each change, and leaves it with
 * the occurrence that is planned: what is sent goes on from there, or links to it a year later.
 */
export function tracePlans({ tracing, traces, logger, clock }: TracePlansDeps): TracedPlanning {
  return async (entries, plan) => {
    const planning = plan();
    await Promise.all(entries.map((entry) => trace(entry, planning))).catch(() => {});
    return planning;
  };

  async function trace(
    { entry, occasions }: PlannedEntry,
    planning: Promise<readonly PlanOutcome[]>,
  ): Promise<void> {
    const { traceparent, occurredAt: at, userId, type } = entry;
    if (traceparent === null || !continuesTrace({ traceparent, at }, clock())) return;
    const about = { 'daybell.user_id': userId, 'daybell.event': type };
    await tracing.span(
      { name: 'plan', kind: 'consumer', parent: traceparent, attributes: about },
      async (span) => {
        for (const outcome of await planning) {
          if (!occasions.some((ref) => ref.type === outcome.type && ref.id === outcome.id))
            continue;
          span.set({ 'daybell.plan': outcome.kind });
          if (outcome.kind !== 'planned') continue;
          const { occurrenceKey } = outcome;
          span.set({ 'daybell.occurrence_key': occurrenceKey });
          await keep(occurrenceKey, { traceparent: span.traceparent, at });
        }
      },
    );
  }

  async function keep(key: string, point: { traceparent: string; at: number }): Promise<void> {
    try {
      await traces.keep(key, point);
    } catch (error) {
      const about = { occurrenceKey: key, error: describeError(error) };
      logger.warn(about, 'its trace could not be kept');
    }
  }
}
