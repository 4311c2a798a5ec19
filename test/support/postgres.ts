/**
 * One real PostgreSQL for the run, a database of its own for each caller, cloned
 * from a template that the global setup has migrated.
 */
import { randomUUID } from 'node:crypto';

import pg from 'pg';
import { afterAll, beforeAll, inject } from 'vitest';

import { connectOrm, type Orm } from '../../src/platform/database/orm.ts';

export interface TestDatabase {
  readonly url: string;
  readonly orm: Orm;
  /** Closes the connections and drops the database. */
  drop(): Promise<void>;
}

/** Clones the migrated template; a few hundred milliseconds. */
export function createTestDatabase(): Promise<TestDatabase> {
  return cloneDatabase(inject('postgresTemplate'));
}

async function cloneDatabase(template: string): Promise<TestDatabase> {
  const admin = inject('postgresAdminUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await runSql(admin, `create database ${name} template ${template}`);
  const url = withDatabase(admin, name);
  const orm = await connectOrm(url);
  return {
    url,
    orm,
    async drop() {
      await orm.close(true);
      await runSql(admin, `drop database ${name} with (force)`);
    },
  };
}

/** A database of the test file's own. Registers the hooks of the file that calls it. */
export function useTestDatabase(): Pick<TestDatabase, 'url' | 'orm'> {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  return {
    get url() {
      return database.url;
    },
    get orm() {
      return database.orm;
    },
  };
}

/**
 * Fills a database once for all tests of the file, and clones it for each that asks: a clone takes
 * a fraction of the time. Nothing in it is vacuumed or analyzed but by the test. Registers the
 * hooks of the file that calls it.
 */
export function useFilledDatabase(fill: (orm: Orm) => Promise<void>) {
  let filled: Pick<TestDatabase, 'url' | 'drop'>;
  beforeAll(async () => {
    const { url, orm, drop } = await createTestDatabase();
    filled = { url, drop };
    await runSql(url, NO_AUTOVACUUM);
    const loader = await connectOrm(url, { queryTimeoutMs: 0 });
    await fill(loader);
    // A database is cloned while nobody is connected to it.
    await Promise.all([loader.close(true), orm.close(true)]);
  });
  afterAll(() => filled.drop());
  return { clone: () => cloneDatabase(new URL(filled.url).pathname.slice(1)) };
}

const NO_AUTOVACUUM = `
  do $$ declare name regclass; begin
    for name in select oid from pg_class
      where relkind = 'r' and relnamespace in ('users'::regnamespace, 'events'::regnamespace)
    loop execute format('alter table %s set (autovacuum_enabled = false)', name); end loop;
  end $$`;

/** A database with nothing in it. */
export async function createEmptyDatabase(): Promise<Pick<TestDatabase, 'url' | 'drop'>> {
  const admin = inject('postgresAdminUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await runSql(admin, `create database ${name}`);
  return {
    url: withDatabase(admin, name),
    drop: () => runSql(admin, `drop database ${name} with (force)`),
  };
}

/**
 * Statements that empty tables of a few rows. TRUNCATE makes a new file for each of their indexes,
 * of which the ledger has seventeen, and all connections forget what they know of these.
 */
export function deleteAll(...tables: readonly string[]): string {
  return tables.map((table) => `delete from ${table}`).join('; ');
}

/** The same for deliveries and plans, and others; a dispatcher that is still alive writes none meanwhile. */
export function emptyLedger(...others: readonly string[]): string {
  const tables = ['events.attempts', 'events.occurrences', 'events.occasions', ...others];
  return `lock table events.occurrences in exclusive mode; ${deleteAll(...tables)}`;
}

export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

export async function runSql(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** The rows of one query. */
export async function querySql(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
