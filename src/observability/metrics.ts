import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export type { Registry };

/** What a page of metrics is made from, for whoever only serves it. */
export type MetricsSource = Pick<Registry, 'contentType' | 'metrics'>;

/**
 * A registry of its own, with what Node tells of the process. Names follow
 * prometheus.io/docs/practices/naming: `daybell_` first, base units, `_total` on counters.
 * No label holds an id, a name or a URL.
 */
export function createMetrics(): Registry {
  const register = new Registry();
  collectDefaultMetrics({ register });
  return register;
}

/** The tz database that this process works by, as a metric that is always 1. */
export function exportTzVersion(registry: Registry, version: string): void {
  new Gauge({
    name: 'daybell_tz_database_info',
    help: 'The version of the tz database in use; always 1.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  const [, year] = /^(\d{4})[a-z]/.exec(version) ?? [];
  if (year === undefined) return;
  new Gauge({
    name: 'daybell_tz_database_release_year',
    help: 'The year of the release of the tz database in use.',
    registers: [registry],
  }).set(Number(year));
}
