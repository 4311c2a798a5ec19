import type { ClientBase } from 'pg';

import { InvalidSettingsError } from '../config/settings.ts';
import { identifyDatabase, type Query } from './database-identity.ts';

export interface DatabaseGuardOptions {
  readonly databaseUrl: string;
  /** The names of this version's migrations, in order. */
  readonly known: readonly string[];
  /** Told when the database is not to be used. */
  readonly onRefused?: ((error: InvalidSettingsError) => void) | undefined;
}

/**
 * Looks at a new connection before anybody gets it, until the database has been found to be
 * Daybell's and one that this version can work on: whenever a database comes up, nothing is
 * written to one that is not. Afterwards it no longer looks, so that a newer version can migrate while this one
 * still runs.
 *
 * @returns what rejects with `InvalidSettingsError`, by the name of the setting and without
 *   the password
 */
export function createDatabaseGuard(
  options: DatabaseGuardOptions,
): (client: ClientBase) => Promise<void> {
  let isKnown = false;
  return async (client) => {
    if (isKnown) return;
    const query: Query = async (sql) => (await client.query(sql)).rows;
    try {
      isKnown = await isUpToDate(query, options);
    } catch (error) {
      if (error instanceof InvalidSettingsError) options.onRefused?.(error);
      throw error;
    }
  };
}

/**
 * Whether the database is Daybell's with all migrations of this version; those of a newer one
 * that this one survives may be there too.
 *
 * @throws InvalidSettingsError when it is a stranger's, or a newer version's that this does not survive
 */
export async function isUpToDate(
  query: Query,
  { databaseUrl, known }: DatabaseGuardOptions,
): Promise<boolean> {
  const identity = await identifyDatabase(query, known);
  if (identity.kind === 'refused') {
    const where = placeOf(databaseUrl);
    throw new InvalidSettingsError([
      `DATABASE_URL: the database at ${where} cannot be used: ${identity.why}.`,
    ]);
  }
  return identity.kind === 'ours' && identity.isUpToDate;
}

/** Host, port and database: what may be shown of a URL that holds a password. */
export function placeOf(databaseUrl: string): string {
  const { host, pathname } = new URL(databaseUrl);
  return `${host}${pathname}`;
}
