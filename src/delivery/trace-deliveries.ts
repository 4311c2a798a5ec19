import { continuesTrace, type TracePoint } from '../platform/trace-point.ts';
import type { OccurrenceTraces } from '../ledger/occurrence-traces.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import type { Tracing } from '../platform/tracing.ts';
import type { Attempt } from './attempt.ts';
import type { FindRecipients, Recipient } from './recipient.ts';

export interface TraceDeliveriesDeps {
  readonly tracing: Tracing;
  readonly traces: Pick<OccurrenceTraces, 'find'>;
  readonly logger: Logger;
  /** Epoch ms. */
  readonly clock: () => number;
}

interface Deliveries {
  readonly findRecipients: FindRecipients;
  readonly attempt: Attempt;
}

/**
 * Reads, with the recipients of a claimed batch, which trace each occurrence belongs to, and
 * makes each attempt in a span of it. What is not traced is sent all the same.
 */
export function traceDeliveries(
  { findRecipients, attempt }: Deliveries,
  { tracing, traces, logger, clock }: TraceDeliveriesDeps,
): Deliveries {
  /** From the claim to the attempt. */
  const points = new WeakMap<Recipient, TracePoint>();

  const findPoints = (keys: readonly string[]): Promise<Map<string, TracePoint>> =>
    traces.find(keys).catch((error: unknown) => {
      logger.warn({ error: describeError(error) }, 'traces of a batch could not be read');
      return new Map();
    });

  return {
    async findRecipients(claimed) {
      const [recipients, found] = await Promise.all([
        findRecipients(claimed),
        findPoints(claimed.map(({ key }) => key)),
      ]);
      for (const [key, recipient] of recipients) {
        const point = found.get(key);
        if (point !== undefined) points.set(recipient, point);
      }
      return recipients;
    },

    attempt(claimed, recipient) {
      const point = points.get(recipient) ?? null;
      const continues = point !== null && continuesTrace(point, clock());
      return tracing.span(
        {
          name: 'POST',
          kind: 'client',
          parent: continues ? point.traceparent : null,
          link: continues ? null : (point?.traceparent ?? null),
          attributes: {
            'http.request.method': 'POST',
            'daybell.occurrence_key': claimed.key,
            'daybell.attempt': claimed.attempt,
            'daybell.redelivered': claimed.redelivered,
          },
        },
        async (span) => {
          const made = await attempt(claimed, recipient);
          span.set({
            'daybell.outcome': made.outcome,
            'daybell.lateness_ms': made.startedAt - claimed.dueAt,
            ...(made.status !== null && { 'http.response.status_code': made.status }),
          });
          if (made.next.kind !== 'delivered') span.fail(made.errorCode ?? String(made.status));
          return made;
        },
      );
    },
  };
}

/** The header by which a receiver continues the trace: https://www.w3.org/TR/trace-context/. */
export function traceHeadersOf(tracing: Tracing): () => Readonly<Record<string, string>> {
  return () => {
    const traceparent = tracing.active();
    return traceparent === null ? {} : { traceparent };
  };
}
