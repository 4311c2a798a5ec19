import { createServer } from 'node:net';

import type { MetricsExporterConfig } from '@temporalio/worker';

import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { MetricsSource } from '../observability/metrics.ts';

/** The metrics that Temporal's SDK has of this process: pollers, slots, tasks, requests. */
export interface TemporalMetrics {
  /** For the runtime, which serves them on a port of loopback: it has no other way to tell them. */
  readonly exporter: MetricsExporterConfig;
  /** A page with both: these behind those of `own`. */
  with(own: MetricsSource): MetricsSource;
}

/** It answers from memory, on this machine. */
const READ_WITHIN_MS = 3_000;

/** Names with units and `_total`, and durations in seconds, as ours are. */
export async function createTemporalMetrics(logger: Logger): Promise<TemporalMetrics> {
  const address = `127.0.0.1:${await findFreePort()}`;
  let isFailing = false;

  const read = async (): Promise<string> => {
    try {
      const signal = AbortSignal.timeout(READ_WITHIN_MS);
      const page = await (await fetch(`http://${address}/metrics`, { signal })).text();
      isFailing = false;
      return page;
    } catch (error) {
      // Until the runtime is installed, and if another program took the port before it.
      if (!isFailing) {
        logger.warn({ error: describeError(error) }, "Temporal's metrics cannot be read");
      }
      isFailing = true;
      return '';
    }
  };

  return {
    exporter: {
      prometheus: {
        bindAddress: address,
        countersTotalSuffix: true,
        unitSuffix: true,
        useSecondsForDurations: true,
      },
    },
    with: (own) => ({
      contentType: own.contentType,
      async metrics() {
        const [page, temporals] = await Promise.all([own.metrics(), read()]);
        return page + temporals;
      },
    }),
  };
}

/** Free at this moment: the SDK wants a number, and does not tell which one 0 became. */
async function findFreePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const probe = createServer().once('error', reject);
  probe.listen(0, '127.0.0.1', () => {
    const address = probe.address();
    const port = address === null || typeof address === 'string' ? 0 : address.port;
    probe.close(() => resolve(port));
  });
  return promise;
}
