import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import type { SpanExporter } from '@opentelemetry/sdk-trace';

import type { Logger } from './logger.ts';

/**
 * Sends spans to a collector by OTLP over HTTP, as JSON. One that is away is told once, and
 * loses spans, never anything else. Headers, timeout and certificates are read by the exporter
 * itself, from OpenTelemetry's own variables.
 *
 * @param endpoint as OTEL_EXPORTER_OTLP_ENDPOINT has it: without `/v1/traces`
 */
export function createTraceExporter(endpoint: string, logger: Logger): SpanExporter {
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
