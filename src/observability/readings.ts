import { Counter, Gauge, type Registry } from 'prom-client';

import { describeError } from './describe-error.ts';
import type { Logger } from './logger.ts';

/** Shorter than a scrape waits (10 s by default), so that it brings the rest. */
const READ_WITHIN_MS = 3_000;

/** Metrics that are read from elsewhere when they are asked for. */
export interface Readings {
  /** @param read gives the value; while it fails, the metric has none */
  gauge(
    metric: { readonly name: string; readonly help: string },
    read: () => Promise<number>,
  ): void;
}

/**
 * Gauges whose reading may fail or hang: the scrape answers with the others, and an error
 * is counted (seen by the next scrape).
 */
export function createReadings(registry: Registry, logger: Logger): Readings {
  const failing = new Set<string>();
  const errors = new Counter({
    name: 'daybell_metrics_read_errors_total',
    help: 'Readings for a scrape that failed or took too long; the metric had no value in it.',
    labelNames: ['metric'],
    registers: [registry],
  });

  const failed = (metric: string, error: unknown): void => {
    errors.inc({ metric });
    if (failing.size === 0) {
      logger.warn({ metric, error: describeError(error) }, 'a metric cannot be read');
    }
    failing.add(metric);
  };

  return {
    gauge({ name, help }, read) {
      errors.inc({ metric: name }, 0);
      const readOnce = shared(read);
      const gauge = new Gauge({
        name,
        help,
        registers: [registry],
        async collect() {
          try {
            gauge.set(await withinLimit(readOnce()));
            failing.delete(name);
          } catch (error) {
            // No value is better than an old one.
            gauge.remove();
            failed(name, error);
          }
        },
      });
    },
  };
}

/** At most one reading at a time: who asks meanwhile gets the same one. */
export function shared<Value>(read: () => Promise<Value>): () => Promise<Value> {
  let underWay: Promise<Value> | null = null;
  return () => {
    underWay ??= read().finally(() => {
      underWay = null;
    });
    return underWay;
  };
}

async function withinLimit<Value>(reading: Promise<Value>): Promise<Value> {
  const { promise: limit, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('took too long')), READ_WITHIN_MS);
  try {
    return await Promise.race([reading, limit]);
  } finally {
    clearTimeout(timer);
  }
}
