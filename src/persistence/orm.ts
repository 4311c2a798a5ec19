import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';

import { entities } from './entities.ts';
import { dropLostConnections } from './lost-connections.ts';
import { Initial0001 } from './migrations/0001-initial.ts';

export type Orm = MikroORM;

const migrationsList = [{ name: '0001-initial', class: Initial0001 }];

/** The migrations of this version, by name, in order. */
export const MIGRATIONS: readonly string[] = migrationsList.map(({ name }) => name);

export interface OrmOptions {
  /** Connections at the most; 10 when not given. */
  readonly poolSize?: number;
  /** After how long a statement is given up; 0 for never. */
  readonly queryTimeoutMs?: number;
}

/** A server that is there answers at once; one that hangs must not hang its callers. */
const CONNECTION_TIMEOUT_MS = 5_000;
/** The longest statements, over a page of users, take a second or two. */
const QUERY_TIMEOUT_MS = 20_000;

/**
 * Connects to Daybell's database. Nothing is connected until the first query, so
 * that a process can start while PostgreSQL is away. The caller closes it.
 */
export function connectOrm(databaseUrl: string, options: OrmOptions = {}): Promise<Orm> {
  const { poolSize = 10, queryTimeoutMs = QUERY_TIMEOUT_MS } = options;
  return MikroORM.init({
    clientUrl: databaseUrl,
    entities,
    extensions: [Migrator],
    migrations: {
      tableName: 'daybell_migrations',
      migrationsList,
      snapshot: false,
      // What ran is for the caller to tell, in its own words.
      silent: true,
    },
    pool: { min: 0, max: poolSize },
    driverOptions: {
      connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
      ...(queryTimeoutMs > 0 && {
        statement_timeout: queryTimeoutMs,
        // A process that hangs, or whose machine is lost, must not keep rows locked.
        idle_in_transaction_session_timeout: queryTimeoutMs,
        // The server ends what takes too long; this is for one that no longer answers at all.
        onPoolCreated: (pool: Pool) => dropLostConnections(pool, queryTimeoutMs + 1_000),
      }),
    },
    discovery: { warnWhenNoEntities: false },
  });
}

/**
 * Brings the schema up to this version's; gives the names of the migrations it ran. Of
 * two that do so at the same time, the second waits and finds nothing left to do.
 */
export async function migrate(orm: Orm): Promise<string[]> {
  return orm.em.fork().transactional(async (em) => {
    await em.execute('select pg_advisory_xact_lock(?)', [MIGRATION_LOCK]);
    const ran = await orm.migrator.up();
    return ran.map((migration) => migration.name);
  });
}

/** Any number that nothing else in this database locks. */
const MIGRATION_LOCK = 0xda7be11;
