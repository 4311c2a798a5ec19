import pg from 'pg';

const CONNECT_LIMIT_MS = 2_000;

/** Creates a database if the server has none of that name. Rejects if the server does not answer. */
export async function createDatabase(serverUrl: string, name: string): Promise<void> {
  const found = await countRows(serverUrl, `select from pg_database where datname = '${name}'`);
  if (found === 0) await countRows(serverUrl, `create database ${name}`);
}

export async function countRows(url: string, sql: string): Promise<number> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
  });
  // Of a server that goes away, which the query reports too.
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query(sql)).rowCount ?? 0;
  } finally {
    await client.end().catch(() => {});
  }
}
