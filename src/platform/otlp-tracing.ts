import { AsyncLocalStorage } from 'node:async_hooks';

import {
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';

import { formatTraceparent, parseTraceparent } from './trace-point.ts';
import { withinLimit } from './async.ts';
import type { Logger } from './logger.ts';
import type { TraceSpan, Tracing } from './tracing.ts';

/** A collector that is away must not hold up the end of a process. */
const STOP_WITHIN_MS = 3_000;

const BATCHES = {
  // A webhook that was just sent is soon found.
  scheduledDelayMillis: 1_000,
  // 10,000 webhooks at one instant send their spans in a few seconds; more are dropped.
  maxQueueSize: 20_000,
};

export interface OtlpTracingOptions {
  readonly service: string;
  /** Of a collector, without `/v1/traces`. */
  readonly endpoint: string;
  /** The share of the traces begun here that is kept: 0 to 1. */
  readonly share: number;
  readonly logger: Logger;
}

/** Traces by OpenTelemetry, sent to a collector by OTLP in batches. */
export function createOtlpTracing(options: OtlpTracingOptions): Tracing {
  const { service, endpoint, share, logger } = options;
  const exporter = createExporter(endpoint, logger);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.namespace': 'daybell' }),
    // Who began a trace has decided for all of it.
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    spanProcessors: [new BatchSpanProcessor({ exporter, ...BATCHES })],
  });
  const tracer = provider.getTracer('daybell');
  const running = new AsyncLocalStorage<string>();

  return {
    async span({ name, kind, parent, link, attributes = {} }, work) {
      const from = spanContextOf(parent);
      const linked = spanContextOf(link);
      const links = linked === null ? [] : [{ context: linked }];
      const span = tracer.startSpan(
        name,
        { kind: KINDS[kind], attributes, links },
        from === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, from),
      );
      const own = traceSpanOf(span);
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
      // A failed export has been logged by then.
      await withinLimit(provider.shutdown(), STOP_WITHIN_MS).catch(() => {});
    },
  };
}

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const;

function traceSpanOf(span: Span): TraceSpan {
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

/**
 * Sends spans as JSON over HTTP. While the collector is away, spans are dropped, which is logged
 * once. The exporter reads headers, timeout and certificates from OpenTelemetry's own variables.
 */
function createExporter(endpoint: string, logger: Logger): SpanExporter {
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` });
  let isFailing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const hasFailed = result.code !== SUCCESS;
        if (hasFailed && !isFailing) logger.warn('traces cannot be exported; spans are dropped');
        if (!hasFailed && isFailing) logger.info('traces are exported again');
        isFailing = hasFailed;
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}

/** `ExportResultCode.SUCCESS` of @opentelemetry/core, which is not worth a dependency. */
const SUCCESS = 0;
