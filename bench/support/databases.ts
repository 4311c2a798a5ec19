/**
 * The databases of a bench's PostgreSQL: created, counted and measured. The bench only reads from
 * them.
 */
import pg from 'pg';

export interface Databases {
  /** Creates an empty one; returns its URL. */
  create(name: string): Promise<string>;
  /** The bytes of one on disk, or 0 if there is none. */
  sizeOf(name: string): Promise<number>;
  /** Committed transactions so far in each, by name. */
  transactions(): Promise<Record<string, number>>;
  close(): Promise<void>;
}

export async function connectDatabases(postgresUrl: string): Promise<Databases> {
  const adminUrl = withDatabase(postgresUrl, 'postgres');
  const client = new pg.Client({ connectionString: adminUrl });
  // The bench stops the server; a query after that fails by itself.
  client.on('error', () => {});
  await client.connect();
  return {
    async create(name) {
      await client.query(`create database ${name}`);
      return withDatabase(postgresUrl, name);
    },
    async sizeOf(name) {
      const { rows } = await client.query<{ bytes: string }>(
        'select pg_database_size(datname) as bytes from pg_database where datname = $1',
        [name],
      );
      return Number(rows[0]?.bytes ?? 0);
    },
    async transactions() {
      const { rows } = await client.query<{ name: string; count: string }>(
        `select datname as name, xact_commit as count from pg_stat_database
         where datname not in ('postgres', 'template0', 'template1')`,
      );
      return Object.fromEntries(rows.map(({ name, count }) => [name, Number(count)]));
    },
    close: () => client.end(),
  };
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
