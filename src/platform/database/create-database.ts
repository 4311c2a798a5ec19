import pg from 'pg';

import { databaseTls } from './tls.ts';

const CONNECT_LIMIT_MS = 2_000;

/**
 * Creates the database of a URL if its server has none of this name, as the URL's user, who must
 * have the right to do so. Rejects if the server does not answer.
 */
export async function createDatabase(databaseUrl: string): Promise<void> {
  const url = new URL(databaseUrl);
  const name = decodeURIComponent(url.pathname.slice(1));
  const ssl = databaseTls(databaseUrl);
  url.search = '';
  url.pathname = '/postgres';
  const client = new pg.Client({
    connectionString: url.href,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    ...(ssl !== null && { ssl }),
  });
  // If the server goes down, the query reports that too.
  client.on('error', () => {});
  try {
    await client.connect();
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end().catch(() => {});
  }
}
