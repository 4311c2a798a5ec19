import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';

import type { InvalidSettingsError } from '../config/settings.ts';
import { createDatabaseGuard, isUpToDate } from './database-guard.ts';
import { databaseTls } from './database-tls.ts';
import { entities } from './entities.ts';
import { dropLostConnections } from './lost-connections.ts';
import { Initial0001 } from './migrations/0001-initial.ts';
import { SlowDownAndPause0002 } from './migrations/0002-slow-down-and-pause.ts';
import { Redelivery0003 } from './migrations/0003-redelivery.ts';
import { ReadingAndRetention0004 } from './migrations/0004-reading-and-retention.ts';
import { ReplayAndStaleTokens0005 } from './migrations/0005-replay-and-stale-tokens.ts';
import { Audit0006 } from './migrations/0006-audit.ts';
import { Reconciler0007 } from './migrations/0007-reconciler.ts';
import { SubscribersAndInstallation0008 } from './migrations/0008-subscribers-and-installation.ts';
import { Erasure0009 } from './migrations/0009-erasure.ts';
import { ForecastAndTraces0010 } from './migrations/0010-forecast-and-traces.ts';
import { OneOutboxIndexLess0011 } from './migrations/0011-one-outbox-index-less.ts';
import { noteSurvivors, type MigrationEntry } from './survivors.ts';

export type Orm = MikroORM;

/**
 * All of them, in order. One that the code of earlier versions goes on with says by `survivedFrom` which:
 * docs/deploys.md has the rule, `migrations.test.ts` holds it.
 */
export const migrationsList: readonly MigrationEntry[] = [
  { name: '0001-initial', class: Initial0001 },
  { name: '0002-slow-down-and-pause', class: SlowDownAndPause0002 },
  { name: '0003-redelivery', class: Redelivery0003 },
  { name: '0004-reading-and-retention', class: ReadingAndRetention0004 },
  { name: '0005-replay-and-stale-tokens', class: ReplayAndStaleTokens0005 },
  { name: '0006-audit', class: Audit0006 },
  { name: '0007-reconciler', class: Reconciler0007 },
  { name: '0008-subscribers-and-installation', class: SubscribersAndInstallation0008 },
  {
    name: '0009-erasure',
    class: Erasure0009,
    survivedFrom: '0008-subscribers-and-installation',
    contracts: 'a trigger notes who is deleted: that code deletes as before, and need not know',
  },
  {
    name: '0010-forecast-and-traces',
    class: ForecastAndTraces0010,
    survivedFrom: '0008-subscribers-and-installation',
  },
  {
    name: '0011-one-outbox-index-less',
    class: OneOutboxIndexLess0011,
    survivedFrom: '0008-subscribers-and-installation',
    contracts: 'an index is gone: another one answers what that code asks',
  },
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
  return MikroORM.init({
    clientUrl: databaseUrl,
    entities,
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
}

/**
 * Brings the schema up to this version's; gives the names of the migrations it ran. Of
 * two that do so at the same time, the second waits and finds nothing left to do. All of
 * them run, or none.
 *
 * @throws InvalidSettingsError when the database is a stranger's, or a newer version's that
 *   this one does not survive
 */
export async function migrate(orm: Orm): Promise<string[]> {
  return orm.em.fork().transactional(async (em) => {
    await em.execute('select pg_advisory_xact_lock(?)', [MIGRATION_LOCK]);
    // Once more: whoever had the lock may have been a newer version.
    const databaseUrl = orm.config.get('clientUrl') ?? '';
    await isUpToDate((sql) => em.execute(sql), { databaseUrl, known: MIGRATIONS });
    // In this transaction: nobody is to see a migration without what is noted of it.
    const transaction = em.getTransactionContext();
    const ran = await orm.migrator.up(transaction === undefined ? {} : { transaction });
    await noteSurvivors((sql, parameters) => em.execute(sql, [...parameters]), migrationsList);
    return ran.map((migration) => migration.name);
  });
}

/** Any number that nothing else in this database locks. */
const MIGRATION_LOCK = 0xda7be11;
