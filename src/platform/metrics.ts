import type { Pool } from 'pg';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export type { Registry };

/**
 * A registry with Node's own metrics of the process. Names follow
 * prometheus.io/docs/practices/naming: `daybell_` first, base units, `_total` on counters.
 * No label holds an id, a name or a URL.
 */
export function createMetrics(): Registry {
  const register = new Registry();
  collectDefaultMetrics({ register });
  // Gauges with the suffix of counters, which `promtool check metrics` refuses. Their sums by kind
  // exist without it.
  for (const what of ['handles', 'requests', 'resources']) {
    register.removeSingleMetric(`nodejs_active_${what}_total`);
  }
  return register;
}

/** Metrics of a registry. */
export function metricsOn(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers });
  return {
    counter,
    /**
     * A counter with one label, and from the start a series for each of these values: a series that
     * begins with its first event hides that event from `rate`.
     */
    counterBy<Value extends string>(
      label: string,
      values: readonly Value[],
      name: string,
      help: string,
    ) {
      const counted = counter(name, help, [label]);
      for (const value of values) counted.inc({ [label]: value }, 0);
      return (value: Value, count = 1): void => counted.inc({ [label]: value }, count);
    },
    gauge: (name: string, help: string, labelNames: string[] = []) =>
      new Gauge({ name, help, labelNames, registers }),
    histogram: (name: string, help: string, buckets: number[], labelNames: string[] = []) =>
      new Histogram({ name, help, buckets, labelNames, registers }),
  };
}

/**
 * How a process uses its connections to the database. A scrape sees only one moment, so busy time
 * is added up continuously.
 *
 * @param size the most connections, in all pools together
 * @returns a function that watches a pool, once it exists
 */
export function createPoolMetrics(registry: Registry, size: number): (pool: Pool) => void {
  const registers = [registry];
  const watched: Pool[] = [];
  let busy = 0;
  let since = performance.now();
  const advance = (change: number): void => {
    const now = performance.now();
    busySeconds.inc((busy * (now - since)) / 1000);
    since = now;
    busy += change;
  };
  new Gauge({
    name: 'daybell_database_pool_size',
    help: 'Connections to the database that this process may have: DATABASE_POOL.',
    registers,
  }).set(size);
  const busySeconds = new Counter({
    name: 'daybell_database_pool_busy_seconds_total',
    help: 'Seconds that connections were in use, added up over all connections.',
    registers,
    collect: () => advance(0),
  });
  const inUse: Gauge = new Gauge({
    name: 'daybell_database_pool_in_use',
    help: 'Connections in use at this moment.',
    registers,
    collect: () => inUse.set(busy),
  });
  const waiting: Gauge = new Gauge({
    name: 'daybell_database_pool_waiting',
    help: 'Units of work that wait for a connection at this moment.',
    registers,
    collect: () => waiting.set(watched.reduce((sum, { waitingCount }) => sum + waitingCount, 0)),
  });
  return (pool) => {
    watched.push(pool);
    pool.on('acquire', () => advance(1));
    pool.on('release', () => advance(-1));
  };
}

/** The alerts use 0.1 and 0.2; a statement is cancelled after 20 s. */
const QUERY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 5, 20];

/** Runs the work and times it, also when it fails. */
export type Timed<Query extends string> = <Result>(
  query: Query,
  work: () => Promise<Result>,
) => Promise<Result>;

/** Times a process's queries, by name, including the wait for a connection. */
export function createQueryMetrics<Query extends string>(
  registry: Registry,
  queries: readonly Query[],
): Timed<Query> {
  const duration = metricsOn(registry).histogram(
    'daybell_database_query_duration_seconds',
    'How long a query, or a transaction, took by name, with the wait for a connection.',
    QUERY_BUCKETS,
    ['query'],
  );
  for (const query of queries) duration.zero({ query });
  return async (query, work) => {
    const stop = duration.startTimer({ query });
    try {
      return await work();
    } finally {
      stop();
    }
  };
}
