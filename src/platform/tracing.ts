import type { Settings } from './settings/settings.ts';
import type { Logger } from './logger.ts';

/** The spans of one process. */
export interface Tracing {
  /** Runs `work` in a span, which ends with it; if it rejects, so does the span. */
  span<Result>(options: SpanOptions, work: (span: TraceSpan) => Promise<Result>): Promise<Result>;
  /** The `traceparent` of the span that the caller runs in; null outside of any. */
  active(): string | null;
  /** Sends what is left, within a few seconds. */
  stop(): Promise<void>;
}

export interface SpanOptions {
  readonly name: string;
  readonly kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal';
  /** A `traceparent` to continue; null begins a trace. */
  readonly parent: string | null;
  /** The `traceparent` of another trace that led to this one. */
  readonly link?: string | null;
  readonly attributes?: SpanAttributes;
}

/** Ids, counts and our own words: no names, no dates of birth, no addresses with secrets. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface TraceSpan {
  readonly traceparent: string;
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** @param type of the error: a class, a status, a code; never a message */
  fail(type: string): void;
}

/** The traces of a process. Null when they are off: then nothing of OpenTelemetry is loaded. */
export async function createTracing(
  process: string,
  settings: Settings,
  logger: Logger,
): Promise<Tracing | null> {
  if (settings.OTEL_TRACES_EXPORTER === 'none') return null;
  const { createOtlpTracing } = await import('./otlp-tracing.ts');
  return createOtlpTracing({
    service: `daybell-${process}`,
    endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    share: settings.OTEL_TRACES_SAMPLER_ARG,
    logger,
  });
}
