import { Histogram, type Registry } from 'prom-client';

/** With what an alarm asks for, 0.1 and 0.2; a statement is given up after 20 s. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 5, 20];

/** Runs the work and times it, also when it fails. */
export type Timed<Query extends string> = <Result>(
  query: Query,
  work: () => Promise<Result>,
) => Promise<Result>;

/**
 * Times what a process asks of the database by name, as the process feels it: with the wait
 * for a connection.
 */
export function createQueryMetrics<Query extends string>(
  registry: Registry,
  queries: readonly Query[],
): Timed<Query> {
  const duration = new Histogram({
    name: 'daybell_database_query_duration_seconds',
    help: 'How long a query, or a transaction, took by name, with the wait for a connection.',
    labelNames: ['query'],
    buckets: DURATION_BUCKETS,
    registers: [registry],
  });
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
