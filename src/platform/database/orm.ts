import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool, PoolClient } from 'pg';

import type { InvalidSettingsError } from '../settings/settings.ts';
import { createPoolMetrics, type Registry } from '../metrics.ts';
import { createDatabaseGuard } from './identity.ts';
import { databaseTls } from './tls.ts';
import { migrationsList } from './migrations.ts';

export type Orm = MikroORM;

export interface OrmOptions {
  /** The most connections; 10 by default. */
  readonly poolSize?: number;
  /** After how long a statement is given up; 0 for never. */
  readonly queryTimeoutMs?: number;
  /** Shows how the connections are used. */
  readonly metrics?: Registry;
  /** Called when this version must not use the database; then there is no connection to be had. */
  readonly onRefused?: (error: InvalidSettingsError) => void;
}

/** A server that is there answers at once; one that hangs must not hang its callers. */
const CONNECTION_TIMEOUT_MS = 5_000;
/** The longest statements, over a page of users, take a second or two. */
const QUERY_TIMEOUT_MS = 20_000;

/**
 * Connects to Daybell's database, at the first query: a process can start while PostgreSQL is
 * away. The caller closes it.
 *
 * @throws InvalidSettingsError when the URL's TLS parameters are not usable
 */
export async function connectOrm(databaseUrl: string, options: OrmOptions = {}): Promise<Orm> {
  const { poolSize = 10, queryTimeoutMs = QUERY_TIMEOUT_MS, metrics, onRefused } = options;
  const ssl = databaseTls(databaseUrl);
  const watchPool = metrics && createPoolMetrics(metrics, poolSize);
  const orm = await MikroORM.init({
    clientUrl: databaseUrl,
    // Statements are written in SQL, beside the code that needs them.
    entities: [],
    extensions: [Migrator],
    migrations: {
      tableName: 'daybell_migrations',
      migrationsList: [...migrationsList],
      snapshot: false,
      silent: true,
    },
    pool: { min: 0, max: poolSize },
    driverOptions: {
      connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
      ...(ssl !== null && { ssl }),
      onConnect: createDatabaseGuard(databaseUrl, onRefused),
      onPoolCreated(pool: Pool) {
        watchPool?.(pool);
        // The server ends what takes too long; this is for one that no longer answers at all.
        if (queryTimeoutMs > 0) dropLostConnections(pool, queryTimeoutMs + 1_000);
      },
      ...(queryTimeoutMs > 0 && {
        statement_timeout: queryTimeoutMs,
        // A process that hangs, or whose machine is lost, must not keep rows locked.
        idle_in_transaction_session_timeout: queryTimeoutMs,
      }),
    },
    discovery: { warnWhenNoEntities: false },
  });
  escapeQuickly(orm);
  return orm;
}

/**
 * Values become part of a statement's text. The library escapes them character by character,
 * which was a fifth of a planner's work: batches are long texts.
 */
function escapeQuickly(orm: Orm): void {
  const platform = orm.em.getPlatform();
  const escape = platform.escape.bind(platform);
  platform.escape = (value: unknown) => (typeof value === 'string' ? quoted(value) : escape(value));
}

/** A string constant, as libpq's PQescapeLiteral writes it. */
function quoted(text: string): string {
  const constant = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${constant.replaceAll('\\', '\\\\')}` : constant;
}

/**
 * Keeps connections that were lost, or do not answer, from filling the pool. The ORM's query
 * builder never releases the connection of a transaction whose begin or rollback failed, and the
 * driver keeps one whose query hangs: after a few of either, a process would wait for a free
 * connection for ever.
 *
 * @param silenceMs how long a connection in use may be silent; longer than any statement
 */
function dropLostConnections(pool: Pool, silenceMs: number): void {
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
