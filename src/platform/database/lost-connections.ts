import type { Pool, PoolClient } from 'pg';

/**
 * Keeps connections that were lost, or do not answer, from filling the pool. The ORM's query
 * builder never releases the connection of a transaction whose begin or rollback failed, and the
 * driver keeps one whose query hangs: after a few of either, a process would wait for a free
 * connection for ever.
 *
 * @param silenceMs how long a connection in use may be silent; longer than any statement
 */
export function dropLostConnections(pool: Pool, silenceMs: number): void {
  const held = new WeakSet<PoolClient>();
  pool.on('acquire', (client) => void held.add(client));
  pool.on('release', (_error, client) => void held.delete(client));
  pool.on('connect', (client) => {
    client.once('end', () => {
      // By then a well-behaved holder has released it: to do so twice is an error.
      setImmediate(() => {
        if (held.has(client)) client.release(true);
      });
    });
    const { stream } = (client as unknown as DriverInternals).connection;
    stream.setTimeout(silenceMs, () => {
      const error = new Error('The database server does not answer.');
      stream.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
    });
  });
}

/** The driver has no public way to a connection's socket. */
interface DriverInternals {
  readonly connection: {
    readonly stream: {
      setTimeout(ms: number, onTimeout: () => void): void;
      destroy(error: Error): void;
    };
  };
}
