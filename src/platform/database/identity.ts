/** Whose database it is. Nothing here writes to it. */
import type { ClientBase } from 'pg';

import { InvalidSettingsError } from '../settings/settings.ts';
import { findRanMigrations, MIGRATIONS, type Query } from './migrations.ts';

/**
 * Checks new connections until the database is known to be Daybell's and up to date, so that
 * nothing is written to another one, whenever it comes up. From then on it no longer checks: a
 * newer version may migrate while this one still runs.
 *
 * @param onRefused called when the database must not be used
 * @returns a check that rejects with `InvalidSettingsError`
 */
export function createDatabaseGuard(
  databaseUrl: string,
  onRefused?: (error: InvalidSettingsError) => void,
): (client: ClientBase) => Promise<void> {
  let isKnown = false;
  return async (client) => {
    if (isKnown) return;
    try {
      isKnown = await isUpToDate(async (sql) => (await client.query(sql)).rows, databaseUrl);
    } catch (error) {
      if (error instanceof InvalidSettingsError) onRefused?.(error);
      throw error;
    }
  };
}

/**
 * Whether the database is Daybell's with all migrations of this version; those of a newer version
 * that this one is compatible with may have run too. False for one that is still empty.
 *
 * @throws InvalidSettingsError when it is not Daybell's, or of a newer version that this one is
 *   not compatible with
 */
export async function isUpToDate(query: Query, databaseUrl: string): Promise<boolean> {
  const refuse = (why: string): never => {
    throw new InvalidSettingsError([
      `DATABASE_URL: the database at ${placeOf(databaseUrl)} cannot be used: ${why}.`,
    ]);
  };
  const [found] = await query<Found>(FIND);
  if (found?.isForeign) {
    refuse("it is not Daybell's: its table daybell_migrations is something else");
  }
  const ran = found?.hasMigrations ? await findRanMigrations(query) : [];
  if (ran.length === 0) {
    if (!found?.schemas) return false;
    refuse(
      `it is not Daybell's: it has something of its own in ${found.schemas}. Give Daybell a database of its own`,
    );
  }
  const fatal = ran.findLast((entry) => !isKnown(entry.name) && !isKnown(entry.compatibleFrom));
  if (fatal !== undefined) {
    const { name, compatibleFrom } = fatal;
    const needed = compatibleFrom === null ? '' : `, which needs one that knows ${compatibleFrom}`;
    refuse(
      `a newer version of Daybell has brought it up to ${name}${needed}, and this one knows up to ${MIGRATIONS.at(-1)}. Start that version, or restore a backup from before`,
    );
  }
  if (found?.missing) {
    refuse(
      `it has run Daybell's migrations, but has no ${found.missing}. Restore it from a backup`,
    );
  }
  const names = new Set(ran.map(({ name }) => name));
  return MIGRATIONS.every((name) => names.has(name));
}

function isKnown(migration: string | null): boolean {
  return migration !== null && MIGRATIONS.includes(migration);
}

/** Host, port and database: what may be shown of a URL that holds a password. */
export function placeOf(databaseUrl: string): string {
  const { host, pathname } = new URL(databaseUrl);
  return `${host}${pathname}`;
}

interface Found {
  readonly hasMigrations: boolean;
  /** Whether the table of migrations has an unknown form. */
  readonly isForeign: boolean;
  /** Daybell's schemas, in words; null when there are none. */
  readonly schemas: string | null;
  /** The tables that it lacks, in words; null when it has them all. */
  readonly missing: string | null;
}

const FIND = `
  select migrations is not null as "hasMigrations",
    migrations is not null and not exists (
      select from pg_attribute
      where attrelid = migrations and attname = 'name' and not attisdropped) as "isForeign",
    (select string_agg('the schema ' || nspname, ' and ' order by nspname desc)
     from pg_namespace where nspname in ('users', 'events')) as schemas,
    (select string_agg(name, ', ')
     from unnest(array['users.users', 'users.history', 'users.outbox', 'events.occurrences',
       'events.attempts', 'events.destinations']) as name
     where to_regclass(name) is null) as missing
  from to_regclass('daybell_migrations') as migrations`;
