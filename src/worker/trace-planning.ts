import type { Planner } from '../activities/index.ts';
import { continuesTrace, type TracePoint } from '../domain/trace-point.ts';
import type { PlanRequest, PlanResult } from '../domain/plan-messages.ts';
import type { OccurrenceTraces } from '../events/occurrence-traces.ts';
import type { Arming } from '../events/ports.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Tracing } from '../observability/tracing.ts';

export interface TracePlanningDeps {
  readonly tracing: Tracing;
  readonly traces: OccurrenceTraces;
  readonly logger: Logger;
}

/**
 * A planner that goes on with the trace of the request it follows, and leaves it with what it
 * plans. A plan of the year after is no part of that trace: its greeting links to it.
 */
export function tracePlanner(planner: Planner, deps: TracePlanningDeps): Planner {
  const planned = async (request: PlanRequest, point: TracePoint): Promise<PlanResult> => {
    const result = await planner.plan(request);
    if (result.kind === 'planned') await keep(result.occurrenceKey, point, deps);
    return result;
  };
  return {
    async plan(request) {
      const { trace, eventType, userId, now } = request;
      if (trace === undefined) return planner.plan(request);
      if (!continuesTrace(trace, now)) return planned(request, trace);
      return deps.tracing.span(
        {
          name: `plan ${eventType}`,
          kind: 'consumer',
          parent: trace.traceparent,
          attributes: { 'daybell.user_id': userId },
        },
        async (span) => {
          const result = await planned(request, { ...trace, traceparent: span.traceparent });
          span.set({
            'daybell.plan': result.kind,
            ...(result.kind === 'planned' && { 'daybell.occurrence_key': result.occurrenceKey }),
          });
          return result;
        },
      );
    },
  };
}

/** Arming in a span, which begins the trace of a greeting, or goes on with the request's. */
export function traceArming(arming: Arming, deps: TracePlanningDeps): Arming {
  return {
    async arm(request) {
      const { occurrenceKey, now } = request;
      const point = await find(occurrenceKey, deps);
      const goesOn = point !== null && continuesTrace(point, now);
      return deps.tracing.span(
        {
          name: 'arm',
          kind: 'internal',
          parent: goesOn ? point.traceparent : null,
          link: goesOn ? null : (point?.traceparent ?? null),
          attributes: { 'daybell.occurrence_key': occurrenceKey },
        },
        async (span) => {
          // Before it is armed: from then on it can be sent.
          await keep(occurrenceKey, { traceparent: span.traceparent, at: now }, deps);
          const armed = await arming.arm(request);
          span.set({ 'daybell.arm': armed.kind });
          return armed;
        },
      );
    },
  };
}

async function find(key: string, { traces, logger }: TracePlanningDeps) {
  try {
    return (await traces.find([key])).get(key) ?? null;
  } catch (error) {
    logger.warn({ occurrenceKey: key, error: describeError(error) }, 'its trace could not be read');
    return null;
  }
}

async function keep(
  key: string,
  point: TracePoint,
  { traces, logger }: TracePlanningDeps,
): Promise<void> {
  try {
    await traces.keep(key, point);
  } catch (error) {
    logger.warn({ occurrenceKey: key, error: describeError(error) }, 'its trace could not be kept');
  }
}
