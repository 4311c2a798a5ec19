import { Migrator } from '@mikro-orm/migrations';
import { MikroORM, type SqlEntityManager } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';

import { Initial0001 } from '../../migrations/0001-initial.ts';
import type { InvalidSettingsError } from '../config/settings.ts';
import { createDatabaseGuard, isUpToDate } from './database-guard.ts';
import { databaseTls } from './database-tls.ts';
import { dropLostConnections } from './lost-connections.ts';
import { noteSurvivors, type MigrationEntry } from './survivors.ts';

export type Orm = MikroORM;

/**
 * All of them, in order. One that the code of earlier versions goes on with says by `survivedFrom` which:
 * docs/deploys.md has the rule, `migrations.test.ts` holds it.
 */
export const migrationsList: readonly MigrationEntry[] = [
  { name: '0001-initial', class: Initial0001 },
];

/** The migrations of this version, by name, in order. */
export const MIGRATIONS: readonly string[] = migrationsList.map(({ name }) => name);

export interface OrmOptions {
  /** Connections at the most; 10 when not given. */
  readonly poolSize?: number;
  /** After how long a statement is given up; 0 for never. */
  readonly queryTimeoutMs?: number;
  /** Told of the pool when it is made, to watch it. */
  readonly onPool?: (pool: Pool) => void;
  /** Told when the database is not to be used by this version: then no connection is given out. */
  readonly onRefused?: (error: InvalidSettingsError) => void;
}

/** Runs in the transaction of the migrations, after them. */
export type AfterMigration = (em: SqlEntityManager) => Promise<unknown>;

/** A server that is there answers at once; one that hangs must not hang its callers. */
const CONNECTION_TIMEOUT_MS = 5_000;
/** The longest statements, over a page of users, take a second or two. */
const QUERY_TIMEOUT_MS = 20_000;

/**
 * Connects to Daybell's database. Nothing is connected until the first query, so
 * that a process can start while PostgreSQL is away. The caller closes it.
 *
 * @throws InvalidSettingsError when what the URL says of TLS cannot be done
 */
export async function connectOrm(databaseUrl: string, options: OrmOptions = {}): Promise<Orm> {
  const { poolSize = 10, queryTimeoutMs = QUERY_TIMEOUT_MS, onPool, onRefused } = options;
  const ssl = databaseTls(databaseUrl);
  const orm = await MikroORM.init({
    clientUrl: databaseUrl,
    // Statements are written in SQL, beside the code that needs them.
    entities: [],
    extensions: [Migrator],
    migrations: {
      tableName: 'daybell_migrations',
      migrationsList: [...migrationsList],
      snapshot: false,
      // What ran is for the caller to tell, in its own words.
      silent: true,
    },
    pool: { min: 0, max: poolSize },
    driverOptions: {
      connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
      ...(ssl !== null && { ssl }),
      onConnect: createDatabaseGuard({ databaseUrl, known: MIGRATIONS, onRefused }),
      onPoolCreated(pool: Pool) {
        onPool?.(pool);
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
 * Brings the schema up to this version's; gives the names of the migrations it ran. Of
 * two that do so at the same time, the second waits and finds nothing left to do. All of
 * them run, or none.
 *
 * @param afterwards what else this version writes, in the same transaction
 * @throws InvalidSettingsError when the database is a stranger's, or a newer version's that
 *   this one does not survive
 */
export async function migrate(orm: Orm, afterwards?: AfterMigration): Promise<string[]> {
  return orm.em.fork().transactional(async (em) => {
    await em.execute('select pg_advisory_xact_lock(?)', [MIGRATION_LOCK]);
    // Once more: whoever had the lock may have been a newer version.
    const databaseUrl = orm.config.get('clientUrl') ?? '';
    await isUpToDate((sql) => em.execute(sql), { databaseUrl, known: MIGRATIONS });
    // In this transaction: nobody is to see a migration without what is noted of it.
    const transaction = em.getTransactionContext();
    const ran = await orm.migrator.up(transaction === undefined ? {} : { transaction });
    await noteSurvivors((sql, parameters) => em.execute(sql, [...parameters]), migrationsList);
    await afterwards?.(em);
    return ran.map((migration) => migration.name);
  });
}

/** Any number that nothing else in this database locks. */
const MIGRATION_LOCK = 0xda7be11;
