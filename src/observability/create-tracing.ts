import type { Settings } from '../config/settings.ts';
import type { Logger } from './logger.ts';
import type { Tracing } from './tracing.ts';

/** The traces of a process; null when they are off, and then nothing of OpenTelemetry is loaded. */
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
