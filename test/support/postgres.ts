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
export async function createTestDatabase(): Promise<TestDatabase> {
  const admin = inject('postgresAdminUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await runSql(admin, `create database ${name} template ${inject('postgresTemplate')}`);
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
