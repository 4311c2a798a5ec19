import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool, PoolClient } from 'pg';

import type { InvalidSettingsError } from '../settings/settings.ts';
import { READ_ONLY } from '../errors.ts';
import { createDatabaseGuard } from './identity.ts';
import { databaseTls } from './tls.ts';
import { migrationsList } from './migrations.ts';

export type Orm = MikroORM;

export interface OrmOptions {
  /** The most connections; 10 by default. */
  readonly poolSize?: number;
  /** The time limit of a statement, or of a transaction that waits for one; 0 for none. */
  readonly queryTimeoutMs?: number;
  /** Called with the pool once it exists, for example by `createPoolMetrics`. */
  readonly watchPool?: ((pool: Pool) => void) | undefined;
  /** Called when this version must not use the database; then no connection can be opened. */
  readonly onRefused?: (error: InvalidSettingsError) => void;
}

/** A server that is up answers at once; one that hangs must not hang its callers. */
const CONNECTION_TIMEOUT_MS = 5_000;
/** The longest statements, over a page of users, take a second or two. */
const QUERY_TIMEOUT_MS = 20_000;

/**
 * Connects to Daybell's database at the first query: a process can start while PostgreSQL is down.
 * The caller closes it.
 *
 * @throws InvalidSettingsError when the URL's TLS parameters are not usable
 */
export async function connectOrm(databaseUrl: string, options: OrmOptions = {}): Promise<Orm> {
  const { poolSize = 10, queryTimeoutMs = QUERY_TIMEOUT_MS, watchPool, onRefused } = options;
  const ssl = databaseTls(databaseUrl);
  const orm = await MikroORM.init({
    clientUrl: databaseUrl,
    // Statements are written in SQL, next to the code that needs them.
    entities: [],
    extensions: [Migrator],
    // A mistyped name must not create a database: run-migrations.ts creates one on request.
    ensureDatabase: false,
    schemaGenerator: { managementDbName: '' },
    migrations: {
      tableName: 'daybell_migrations',
      migrationsList: [...migrationsList],
      snapshot: false,
      silent: true,
    },
    pool: { min: 0, max: poolSize },
    driverOptions: {
      connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
      // Always set: otherwise the driver would use PGSSLMODE, which an operator has for psql.
      ssl: ssl ?? false,
      onConnect: createDatabaseGuard(databaseUrl, onRefused),
      onPoolCreated(pool: Pool) {
        watchPool?.(pool);
        if (queryTimeoutMs > 0) limitTime(pool, queryTimeoutMs);
        // The server ends what takes too long; this is for a server that no longer answers at all.
        dropLostConnections(pool, queryTimeoutMs > 0 ? queryTimeoutMs + 1_000 : 0);
      },
    },
    discovery: { warnWhenNoEntities: false },
  });
  escapeQuickly(orm);
  return orm;
}

/**
 * Values become part of a statement's text. The library escapes them character by character, which
 * took a fifth of a planner's time: batches are long texts.
 */
function escapeQuickly(orm: Orm): void {
  const platform = orm.em.getPlatform();
  const escape = platform.escape.bind(platform);
  platform.escape = (value: unknown) => (typeof value === 'string' ? quoted(value) : escape(value));
}

/** A string literal, as libpq's PQescapeLiteral writes it. */
function quoted(text: string): string {
  const constant = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${constant.replaceAll('\\', '\\\\')}` : constant;
}

/**
 * Limits the time of every statement, and of a transaction that waits for one: a process that
 * hangs, or whose machine is lost, must not keep rows locked. The limits are sent with the
 * statement, or with the `begin` of its transaction, and end with it: a pooler refuses them as
 * startup parameters, and gives the session to another client afterwards.
 */
function limitTime(pool: Pool, limitMs: number): void {
  const statement = `set local statement_timeout = ${limitMs}`;
  const transaction = `${statement}; set local idle_in_transaction_session_timeout = ${limitMs}`;
  pool.on('connect', (client) => {
    const { getTransactionStatus } = client as unknown as DriverInternals;
    const query = client.query.bind(client) as (text: string) => Promise<unknown>;
    // All statements arrive as text with their values, in the simple protocol, which allows several
    // at once.
    client.query = (async (text: string) => {
      if (getTransactionStatus.call(client) !== 'I') return query(text);
      if (BEGIN.test(text)) return query(`${text}; ${transaction}`);
      const results = await query(`${statement}; ${text}`);
      return Array.isArray(results) ? results.at(-1) : results;
    }) as typeof client.query;
  });
}

/** As the ORM's query builder writes it. */
const BEGIN = /^(?:begin|start transaction)/;

/**
 * Keeps lost connections, those that do not answer, and those to a standby from filling the pool.
 * The ORM's query builder never releases the connection of a transaction whose begin or rollback
 * failed, and the driver keeps one whose query hangs: after a few of either, a process would wait
 * for a free connection for ever. After a failover, connections to the former primary may survive.
 *
 * @param silenceMs how long a connection in use may be silent, longer than any statement; 0:
 * forever
 */
function dropLostConnections(pool: Pool, silenceMs: number): void {
  const held = new WeakSet<PoolClient>();
  const open = new Set<PoolClient>();
  pool.on('acquire', (client) => void held.add(client));
  pool.on('release', (_error, client) => void held.delete(client));
  pool.on('connect', (client) => {
    open.add(client);
    client.once('end', () => {
      open.delete(client);
      // By then a well-behaved holder has released it: releasing it twice is an error.
      setImmediate(() => {
        if (held.has(client)) client.release(true);
      });
    });
    const { connection } = client as unknown as DriverInternals;
    connection.stream.setTimeout(silenceMs, () => {
      lose(client, 'ETIMEDOUT', 'The database server does not answer.');
    });
    connection.on('errorMessage', ({ code }) => {
      if (code !== READ_ONLY) return;
      // The others lead to the same server.
      for (const other of open) lose(other, READ_ONLY, 'The database server is read-only.');
    });
  });
}

function lose(client: PoolClient, code: string, message: string): void {
  const { stream } = (client as unknown as DriverInternals).connection;
  stream.destroy(Object.assign(new Error(message), { code }));
}

/** The driver has no public API for these. */
interface DriverInternals {
  /** `I` outside of a transaction. */
  getTransactionStatus(): string | null;
  readonly connection: {
    on(event: 'errorMessage', listener: (error: { readonly code?: string }) => void): void;
    readonly stream: {
      setTimeout(ms: number, onTimeout: () => void): void;
      destroy(error: Error): void;
    };
  };
}
