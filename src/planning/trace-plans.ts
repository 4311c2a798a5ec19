import type { OccurrenceTraces } from '../ledger/occurrence-traces.ts';
import type { OccasionRef } from '../ledger/types.ts';
import type { Tracing } from '../platform/tracing.ts';
import { continuesTrace } from '../platform/trace-point.ts';
import type { OutboxEntry } from '../users/outbox.ts';
import type { PlanOutcome } from './write-plans.ts';

export interface PlannedEntry {
  readonly entry: OutboxEntry;
  readonly occasions: readonly OccasionRef[];
}

export interface PlanTracing {
  readonly tracing: Tracing;
  readonly traces: Pick<OccurrenceTraces, 'keep'>;
  /** Epoch ms. */
  readonly clock: () => number;
}

/**
 * Continues the trace of the request that made a change with a span for its planning, and stores it
 * with the planned occurrence: delivery continues it from there, or links to it a year later.
 */
export async function tracePlan(
  { tracing, traces, clock }: PlanTracing,
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
      await traces.keep(occurrenceKey, { traceparent: span.traceparent, at });
    }
  });
}
