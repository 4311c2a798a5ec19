import type { OccurrenceTraces } from '../ledger/occurrence-traces.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import type { Tracing } from '../platform/tracing.ts';
import { continuesTrace } from '../platform/trace-point.ts';
import type { PlannedEntry, TracedPlanning } from './outbox-consumer.ts';
import type { PlanOutcome } from './types.ts';

interface TracePlansDeps {
  readonly tracing: Tracing;
  readonly traces: OccurrenceTraces;
  readonly logger: Logger;
  /** Epoch ms. */
  readonly clock: () => number;
}

/**
 * Planning that continues the trace of the request that made each change, and stores it with the
 * occurrence that is planned: delivery continues it from there, or links to it a year later.
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
    const attributes = { 'daybell.user_id': userId, 'daybell.event': type };
    const options = { name: 'plan', kind: 'consumer', parent: traceparent, attributes } as const;
    await tracing.span(options, async (span) => {
      const outcomes = (await planning).filter((outcome) =>
        occasions.some((ref) => ref.type === outcome.type && ref.id === outcome.id),
      );
      for (const outcome of outcomes) {
        span.set({ 'daybell.plan': outcome.kind });
        if (outcome.kind !== 'planned') continue;
        const { occurrenceKey } = outcome;
        span.set({ 'daybell.occurrence_key': occurrenceKey });
        await traces
          .keep(occurrenceKey, { traceparent: span.traceparent, at })
          .catch((error: unknown) => {
            const about = { occurrenceKey, error: describeError(error) };
            logger.warn(about, 'the trace of an occurrence could not be stored');
          });
      }
    });
  }
}
