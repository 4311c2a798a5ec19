/**
 * The least time that storing can take: PostgreSQL's own COPY of existing rows into their tables.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import pg from 'pg';

/** The tables that an import and its planning write, in an order that foreign keys allow. */
export const COPIED = [
  'users.users',
  'users.history',
  'users.outbox',
  'events.occasions',
  'events.occurrences',
];

/** Exports the tables, empties them, and imports them again; returns how long the import took. */
export async function copyFloor(databaseUrl: string, folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    for (const table of COPIED) await client.query(`copy ${table} to '${join(folder, table)}'`);
    await client.query(`truncate ${COPIED.join(', ')} cascade`);
    const startedAt = performance.now();
    for (const table of COPIED) await client.query(`copy ${table} from '${join(folder, table)}'`);
    return performance.now() - startedAt;
  } finally {
    await client.end();
    await rm(folder, { recursive: true });
  }
}
