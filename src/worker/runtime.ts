import {
  type LogMetadata,
  type MetricsExporterConfig,
  Runtime,
  type Logger as TemporalLogger,
} from '@temporalio/worker';

import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';

/**
 * Installs Temporal's runtime, one for the process, with Daybell's logger. Signals are
 * not its business: the process stops its worker itself, in order.
 */
export function installTemporalRuntime(logger: Logger, metrics?: MetricsExporterConfig): void {
  Runtime.install({
    logger: temporalLogger(logger),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { forward: {}, filter: { core: 'WARN', other: 'ERROR' } },
      ...(metrics !== undefined && { metrics }),
    },
  });
}

/** Temporal's log lines as ours: what is ordinary to it (a worker's states, a bundle) is a detail here. */
export function temporalLogger(logger: Logger): TemporalLogger {
  let retriesToldAt = -Infinity;
  /** While the server is away, each poller says so of each try: once a minute is enough. */
  const isRepeated = (meta: LogMetadata): boolean => {
    if (meta['target'] !== 'temporalio_client::retry') return false;
    if (performance.now() - retriesToldAt < TELL_RETRIES_EVERY_MS) return true;
    retriesToldAt = performance.now();
    return false;
  };
  const write =
    (level: 'trace' | 'debug' | 'warn' | 'error') =>
    (message: string, meta: LogMetadata = {}): void => {
      const told = level === 'warn' && isRepeated(meta) ? 'debug' : level;
      // The SDK traces every activation and activity, with all that it knows of it.
      if (logger.isLevelEnabled(told)) logger[told](fieldsOf(meta), message);
    };
  const levels = {
    trace: write('trace'),
    debug: write('trace'),
    info: write('debug'),
    warn: write('warn'),
    error: write('error'),
  };
  return {
    ...levels,
    log: (level, message, meta) =>
      levels[level.toLowerCase() as keyof typeof levels](message, meta),
  };
}

const TELL_RETRIES_EVERY_MS = 60_000;

function fieldsOf(meta: LogMetadata): Record<string, unknown> {
  // What JSON has no word for (timestamps as bigint, under symbols) is the SDK's own.
  const fields = Object.entries(meta).filter(([, value]) => typeof value !== 'bigint');
  return Object.fromEntries(
    fields.map(([name, value]) => [name, value instanceof Error ? describeError(value) : value]),
  );
}
