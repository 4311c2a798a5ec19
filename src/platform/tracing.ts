/**
 * Traces by OpenTelemetry, sent to a collector by OTLP in batches. Other modules import only types
 * from here: it is loaded only when traces are on.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { ExportResultCode, parseTraceParent } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';

import { withinLimit } from './async.ts';
import type { Logger } from './logger.ts';

/** A collector that is down must not delay the end of a process. */
const STOP_WITHIN_MS = 3_000;

const BATCHES = {
  // A webhook that was just sent can be found soon.
  scheduledDelayMillis: 1_000,
  // 10,000 webhooks at one instant send their spans in a few seconds; more are dropped.
  maxQueueSize: 20_000,
};

interface TracingOptions {
  readonly service: string;
  /** The address of a collector, without `/v1/traces`. */
  readonly endpoint: string;
  /** The share of traces begun here that is kept: 0 to 1. */
  readonly share: number;
  readonly logger: Logger;
}

interface SpanOptions {
  readonly name: string;
  readonly kind: Lowercase<keyof typeof SpanKind>;
  /** A `traceparent` to continue; null begins a trace. */
  readonly parent: string | null;
  /** The `traceparent` of another trace that led to this one. */
  readonly link?: string | null;
  /** Ids, counts and fixed texts: no names, no dates of birth, no addresses with secrets. */
  readonly attributes?: Attributes;
}

export type Tracing = ReturnType<typeof createTracing>;

/** The spans of one process. */
export function createTracing({ service, endpoint, share, logger }: TracingOptions) {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.namespace': 'daybell' }),
    // The service that began a trace has decided for all of it.
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: createExporter(endpoint, logger), ...BATCHES }),
    ],
  });
  const tracer = provider.getTracer('daybell');
  const running = new AsyncLocalStorage<string>();

  return {
    /** Runs `work` in a span that ends with it, and fails with it. */
    async span<Result>(
      { name, kind, parent, link = null, attributes = {} }: SpanOptions,
      work: (span: TraceSpan) => Promise<Result>,
    ): Promise<Result> {
      const linked = spanContextOf(link);
      const from = spanContextOf(parent);
      const spanKind = SpanKind[kind.toUpperCase() as keyof typeof SpanKind];
      const span = tracer.startSpan(
        name,
        { kind: spanKind, attributes, links: linked === null ? [] : [{ context: linked }] },
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

    /** The `traceparent` of the span that the caller runs in; null outside any span. */
    active: () => running.getStore() ?? null,

    /** Sends the remaining spans, within a few seconds. */
    async stop() {
      // A failed export has already been logged.
      await withinLimit(provider.shutdown(), STOP_WITHIN_MS).catch(() => {});
    },
  };
}

type TraceSpan = ReturnType<typeof traceSpanOf>;

function traceSpanOf(span: Span) {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    rename: (name: string) => void span.updateName(name),
    set: (attributes: Attributes) => void span.setAttributes(attributes),
    /** @param type of the error: a class, a status, a code; never a message */
    fail(type: string) {
      span.setAttribute('error.type', type);
      span.setStatus({ code: SpanStatusCode.ERROR });
    },
  };
}

function spanContextOf(traceparent: string | null) {
  const context = traceparent === null ? null : parseTraceParent(traceparent);
  return context && { ...context, isRemote: true };
}

/**
 * Sends spans as JSON over HTTP. While the collector is down, spans are dropped, which is logged
 * once. The exporter reads headers, timeout and certificates from OpenTelemetry's own variables.
 */
function createExporter(endpoint: string, logger: Logger): SpanExporter {
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` });
  let isFailing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const hasFailed = result.code === ExportResultCode.FAILED;
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
