import { once } from 'node:events';
import { createServer } from 'node:net';

import {
  DefaultLogger,
  type LogMetadata,
  type MetricsExporterConfig,
  Runtime,
  type Logger as TemporalLogger,
} from '@temporalio/worker';

import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';

/**
 * Installs Temporal's runtime, one for the process, with Daybell's logger. It does not handle
 * signals: the process itself stops its worker in an orderly way.
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

const LOG_RETRIES_EVERY_MS = 60_000;

/** Temporal's routine messages (a worker's states, a bundle) are details here. */
const LEVELS = {
  // The SDK logs every activation and activity, with everything it knows about it.
  TRACE: 'trace',
  DEBUG: 'trace',
  INFO: 'debug',
  WARN: 'warn',
  ERROR: 'error',
} as const;

/** Writes Temporal's log lines in Daybell's form. */
export function temporalLogger(logger: Logger): TemporalLogger {
  let retriesLoggedAt = -Infinity;
  /** While the server is down, each poller logs each try: once a minute is enough. */
  const isRepeated = (meta: LogMetadata): boolean => {
    if (meta['target'] !== 'temporalio_client::retry') return false;
    if (performance.now() - retriesLoggedAt < LOG_RETRIES_EVERY_MS) return true;
    retriesLoggedAt = performance.now();
    return false;
  };
  return new DefaultLogger('TRACE', ({ level, message, meta = {} }) => {
    const actual = level === 'WARN' && isRepeated(meta) ? 'debug' : LEVELS[level];
    if (logger.isLevelEnabled(actual)) logger[actual](fieldsOf(meta), message);
  });
}

function fieldsOf(meta: LogMetadata): Record<string, unknown> {
  // JSON has no bigint; such fields (timestamps, under symbols) are for the SDK itself.
  const fields = Object.entries(meta).filter(([, value]) => typeof value !== 'bigint');
  return Object.fromEntries(
    fields.map(([name, value]) => [name, value instanceof Error ? describeError(value) : value]),
  );
}

/** It answers from memory, on this machine. */
const READ_WITHIN_MS = 3_000;

/**
 * The metrics that Temporal's SDK has about this process: pollers, slots, tasks, requests. The
 * runtime serves them on a loopback port, which is the only way to read them.
 */
export async function createTemporalMetrics(logger: Logger) {
  const bindAddress = `127.0.0.1:${await findFreePort()}`;
  let isFailing = false;
  // Names with units and `_total`, and durations in seconds, like ours.
  const exporter: MetricsExporterConfig = {
    prometheus: {
      bindAddress,
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
    },
  };
  return {
    exporter,
    /** In Prometheus's text format; empty while they cannot be read. */
    async read(): Promise<string> {
      try {
        const signal = AbortSignal.timeout(READ_WITHIN_MS);
        const page = await (await fetch(`http://${bindAddress}/metrics`, { signal })).text();
        isFailing = false;
        return page;
      } catch (error) {
        // Until the runtime is installed, or if another program took the port first.
        if (!isFailing) {
          logger.warn({ error: describeError(error) }, "Temporal's metrics cannot be read");
        }
        isFailing = true;
        return '';
      }
    },
  };
}

/** Free at this moment: the SDK needs a number, and does not report which port 0 became. */
async function findFreePort(): Promise<number> {
  await using probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  return address === null || typeof address === 'string' ? 0 : address.port;
}
