import { AsyncLocalStorage } from 'node:async_hooks';

import {
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';

import { formatTraceparent, parseTraceparent } from '../platform/trace-point.ts';
import type { Logger } from './logger.ts';
import { createTraceExporter } from './trace-exporter.ts';
import type { TraceSpan, Tracing } from './tracing.ts';

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const;

/** A collector that is away must not hold up the end of a process. */
const STOP_WITHIN_MS = 3_000;

const BATCHES = {
  // Whoever looks for a greeting that was just sent finds it.
  scheduledDelayMillis: 1_000,
  // A herd of 10,000 sends its spans in a few seconds; what is over is dropped.
  maxQueueSize: 20_000,
};

export interface OtlpTracingOptions {
  readonly service: string;
  /** Of a collector, without `/v1/traces`. */
  readonly endpoint: string;
  /** Of the traces that begin here, how many are kept: 0 to 1. */
  readonly share: number;
  readonly logger: Logger;
}

/** Traces by OpenTelemetry, sent to a collector by OTLP in batches. */
export function createOtlpTracing({
  service,
  endpoint,
  share,
  logger,
}: OtlpTracingOptions): Tracing {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': service,
      'service.namespace': 'daybell',
    }),
    // Whoever began a trace has decided on all of it.
    sampler: new ParentBasedSampler({
      root: new TraceIdRatioBasedSampler(share),
    }),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: createTraceExporter(endpoint, logger), ...BATCHES }),
    ],
  });
  const tracer = provider.getTracer('daybell');
  const running = new AsyncLocalStorage<string>();

  return {
    async span({ name, kind, parent, link, attributes = {} }, work) {
      const from = spanContextOf(parent);
      const linked = spanContextOf(link);
      const span = tracer.startSpan(
        name,
        {
          kind: KINDS[kind],
          attributes,
          links: linked === null ? [] : [{ context: linked }],
        },
        from === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, from),
      );
      const own = ownSpan(span);
      try {
        return await running.run(own.traceparent, () => work(own));
      } catch (error) {
        own.fail(error instanceof Error ? error.name : 'unknown');
        throw error;
      } finally {
        span.end();
      }
    },

    active: () => running.getStore() ?? null,

    async stop() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, STOP_WITHIN_MS);
      // What could not be sent has been told by then.
      await Promise.race([provider.shutdown().catch(() => {}), late.promise]);
      clearTimeout(timer);
    },
  };
}

function ownSpan(span: Span): TraceSpan {
  const { traceId, spanId, traceFlags: flags } = span.spanContext();
  return {
    traceparent: formatTraceparent({ traceId, spanId, flags }),
    rename: (name) => void span.updateName(name),
    set: (attributes) => void span.setAttributes(attributes),
    fail(type) {
      span.setAttribute('error.type', type);
      span.setStatus({ code: SpanStatusCode.ERROR });
    },
  };
}

function spanContextOf(traceparent: string | null | undefined): SpanContext | null {
  const parsed = parseTraceparent(traceparent);
  if (parsed === null) return null;
  const { traceId, spanId, flags } = parsed;
  return { traceId, spanId, traceFlags: flags, isRemote: true };
}
