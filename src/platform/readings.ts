import { Counter, Gauge } from 'prom-client';

import { shared, withinLimit } from './async.ts';
import { describeError } from './errors.ts';
import type { Logger } from './logger.ts';
import { metricsOn, type Registry } from './metrics.ts';

/** Shorter than a scrape's time limit (10 s by default), so that the other metrics still arrive. */
const READ_WITHIN_MS = 3_000;

/** The value of a metric without labels, or the values of one with labels. */
type Read = () => Promise<number | readonly LabelledValue[]>;

interface LabelledValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Metrics that are read from elsewhere at each scrape. If a read fails or hangs, its metric has no
 * value (no value is better than an old one) and it is counted; the others are served.
 */
export function createReadings(registry: Registry, logger: Logger) {
  const registers = [registry];
  const failing = new Set<string>();
  const errors = metricsOn(registry).counter(
    'daybell_metrics_read_errors_total',
    'Readings for a scrape that failed or took too long; the metric had no value in it.',
    ['metric'],
  );

  const register = (
    Metric: typeof Gauge | typeof Counter,
    name: string,
    help: string,
    read: Read,
    labelNames: string[] = [],
  ): void => {
    errors.inc({ metric: name }, 0);
    const readOnce = shared(read);
    const metric = new Metric({
      name,
      help,
      labelNames,
      registers,
      async collect() {
        const found = await withinLimit(readOnce(), READ_WITHIN_MS).catch((error: unknown) => {
          errors.inc({ metric: name });
          if (failing.size === 0) {
            logger.warn({ metric: name, error: describeError(error) }, 'a metric cannot be read');
          }
          failing.add(name);
          return null;
        });
        if (found !== null) failing.delete(name);
        metric.reset();
        // Resetting a metric without labels leaves it at 0.
        if (labelNames.length === 0) metric.remove();
        const values = typeof found === 'number' ? [{ labels: {}, value: found }] : (found ?? []);
        for (const { labels, value } of values) metric.inc(labels, value);
      },
    });
  };

  return {
    gauge: register.bind(null, Gauge),
    /** `read` returns a total that is counted elsewhere. */
    counter: register.bind(null, Counter),
  };
}
