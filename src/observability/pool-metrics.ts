import type { Pool } from 'pg';
import { Counter, Gauge, type Registry } from 'prom-client';

/**
 * Shows on a registry how a process uses its connections. A scrape sees one moment, and in
 * the API its own readings: what is busy for how long is therefore added up all the time.
 *
 * @param size connections at the most
 * @returns for `connectOrm`, which tells of the pool that it makes
 */
export function createPoolMetrics(registry: Registry, size: number): (pool: Pool) => void {
  const registers = [registry];
  new Gauge({
    name: 'daybell_database_pool_size',
    help: 'Connections to the database that this process may have: DATABASE_POOL.',
    registers,
  }).set(size);
  let busy = 0;
  let since = performance.now();
  const advance = (change: number): void => {
    const now = performance.now();
    busySeconds.inc((busy * (now - since)) / 1000);
    since = now;
    busy += change;
  };
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
  let watched: Pool | null = null;
  const waiting: Gauge = new Gauge({
    name: 'daybell_database_pool_waiting',
    help: 'Units of work that wait for a connection at this moment.',
    registers,
    collect: () => waiting.set(watched?.waitingCount ?? 0),
  });

  return (pool) => {
    watched = pool;
    pool.on('acquire', () => advance(1));
    pool.on('release', () => advance(-1));
  };
}
