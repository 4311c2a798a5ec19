import { continuesTrace, type TracePoint } from '../domain/trace-point.ts';
import type { OccurrenceTraces } from '../events/occurrence-traces.ts';
import type { Recipient, UserDirectory } from '../events/ports.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Tracing } from '../observability/tracing.ts';
import type { Attempt } from './attempt.ts';

export interface TraceDeliveriesDeps {
  readonly tracing: Tracing;
  readonly traces: OccurrenceTraces;
  readonly logger: Logger;
  /** Epoch ms. */
  readonly clock: () => number;
}

interface Deliveries {
  readonly directory: UserDirectory;
  readonly attempt: Attempt;
}

/**
 * Reads, with the recipients of a claimed batch, which trace each occurrence belongs to, and
 * makes each attempt in a span of it. What is not traced is sent all the same.
 */
export function traceDeliveries(
  { directory, attempt }: Deliveries,
  { tracing, traces, logger, clock }: TraceDeliveriesDeps,
): Deliveries {
  /** From the claim to the attempt, for as long as anybody has the recipient in hand. */
  const points = new WeakMap<Recipient, TracePoint>();

  const findPoints = (keys: readonly string[]): Promise<Map<string, TracePoint>> =>
    traces.find(keys).catch((error: unknown) => {
      logger.warn({ error: describeError(error) }, 'traces of a batch could not be read');
      return new Map();
    });

  return {
    directory: {
      async findRecipients(occurrences) {
        const [recipients, found] = await Promise.all([
          directory.findRecipients(occurrences),
          findPoints(occurrences.map(({ key }) => key)),
        ]);
        return new Map(
          [...recipients].map(([key, shared]) => {
            // A copy: whoever has several events has each in a trace of its own.
            const recipient = { ...shared };
            const point = found.get(key);
            if (point !== undefined) points.set(recipient, point);
            return [key, recipient];
          }),
        );
      },
    },

    attempt(claimed, recipient) {
      const point = points.get(recipient) ?? null;
      const { key, fireAt, attempt: number, redelivered } = claimed;
      const goesOn = point !== null && continuesTrace(point, clock());
      return tracing.span(
        {
          name: 'POST',
          kind: 'client',
          parent: goesOn ? point.traceparent : null,
          link: goesOn ? null : (point?.traceparent ?? null),
          attributes: {
            'http.request.method': 'POST',
            'daybell.occurrence_key': key,
            'daybell.attempt': number,
            'daybell.redelivered': redelivered,
          },
        },
        async (span) => {
          const made = await attempt(claimed, recipient);
          span.set({
            'daybell.outcome': made.outcome,
            'daybell.lateness_ms': made.startedAt - fireAt,
            ...(made.status !== null && { 'http.response.status_code': made.status }),
          });
          if (made.next.kind !== 'delivered') span.fail(made.errorCode ?? String(made.status));
          return made;
        },
      );
    },
  };
}

/** The header by which a receiver goes on with the trace: https://www.w3.org/TR/trace-context/. */
export function traceHeadersOf(tracing: Tracing): () => Readonly<Record<string, string>> {
  return () => {
    const traceparent = tracing.active();
    return traceparent === null ? {} : { traceparent };
  };
}
