import { Counter, Gauge, type Registry } from 'prom-client';

import { describeError } from './describe-error.ts';
import type { Logger } from './logger.ts';
import { withinLimit } from './within-limit.ts';

/** Shorter than a scrape waits (10 s by default), so that it brings the rest. */
const READ_WITHIN_MS = 3_000;

interface MetricWords {
  readonly name: string;
  readonly help: string;
}

/** One of several values of a metric. */
export interface LabelledValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Metrics that are read from elsewhere when they are asked for. While that fails, they have no value. */
export interface Readings {
  gauge(metric: MetricWords, read: () => Promise<number>): void;
  /** @param read gives all of its values */
  gauges(
    metric: MetricWords & { readonly labelNames: readonly string[] },
    read: () => Promise<readonly LabelledValue[]>,
  ): void;
  /** @param read gives what elsewhere has counted */
  counter(metric: MetricWords, read: () => Promise<number>): void;
}

/**
 * Metrics whose reading may fail or hang: the scrape answers with the others, and an error
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

  /** Gives what reads it for a scrape; null when it cannot be read. */
  const reader = <Value>(
    name: string,
    read: () => Promise<Value>,
  ): (() => Promise<Value | null>) => {
    errors.inc({ metric: name }, 0);
    const readOnce = shared(read);
    return async () => {
      try {
        const value = await withinLimit(readOnce(), READ_WITHIN_MS);
        failing.delete(name);
        return value;
      } catch (error) {
        failed(name, error);
        return null;
      }
    };
  };
  const registers = [registry];

  // No value is better than an old one.
  return {
    gauge({ name, help }, read) {
      const readNow = reader(name, read);
      const gauge = new Gauge({
        name,
        help,
        registers,
        async collect() {
          const value = await readNow();
          if (value === null) gauge.remove();
          else gauge.set(value);
        },
      });
    },
    gauges({ name, help, labelNames }, read) {
      const readNow = reader(name, read);
      const gauge = new Gauge({
        name,
        help,
        labelNames,
        registers,
        async collect() {
          const values = (await readNow()) ?? [];
          gauge.reset();
          for (const { labels, value } of values) gauge.set(labels, value);
        },
      });
    },
    counter({ name, help }, read) {
      const readNow = reader(name, read);
      const counter = new Counter({
        name,
        help,
        registers,
        async collect() {
          const value = await readNow();
          counter.reset();
          if (value === null) counter.remove();
          else counter.inc(value);
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
