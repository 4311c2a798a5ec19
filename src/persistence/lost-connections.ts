import type { Pool, PoolClient } from 'pg';

/**
 * Keeps connections that were lost, or do not answer, from filling the pool. The query
 * builder below never gives back the connection of a transaction whose begin or rollback
 * failed, and the driver keeps one whose query hangs: after a few of either, a process
 * would wait for a free connection for ever.
 *
 * @param silenceMs how long a connection in use may say nothing; longer than any statement
 */
export function dropLostConnections(pool: Pool, silenceMs: number): void {
  const held = new WeakSet<PoolClient>();
  pool.on('acquire', (client) => void held.add(client));
  pool.on('release', (_error, client) => void held.delete(client));
  pool.on('connect', (client) => {
    client.once('end', () => {
      // Whoever gives it back as they should has done so by then: a second time is an error.
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

/** The socket under a connection: the driver has no public way to it. */
interface DriverInternals {
  readonly connection: {
    readonly stream: {
      setTimeout(ms: number, onTimeout: () => void): void;
      destroy(error: Error): void;
    };
  };
}
