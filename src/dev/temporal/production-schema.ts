/** The two databases of the production Temporal server: created, and brought up to its version. */
import pg from 'pg';

import { runCommand } from '../run-command.ts';
import { StartError } from '../start-error.ts';

/** The server keeps workflows in the one, and what lists of workflows are made from in the other. */
export const TEMPORAL_DATABASES = [
  { database: 'temporal', schema: 'postgresql/v12/temporal' },
  { database: 'temporal_visibility', schema: 'postgresql/v12/visibility' },
] as const;

/** The tool runs a few dozen statements; one that hangs waits for a lock. */
const LIMIT_MS = 5 * 60_000;
/** What the tool names the first version of a schema. */
const NO_VERSION = '0.0';

/**
 * Brings both up to date. PostgreSQL must be running; the user in the URL must be allowed
 * to create databases. Safe to run again.
 *
 * @throws StartError with what the tool said
 */
export async function setUpTemporalSchema(
  sqlTool: string,
  postgresUrl: string,
  onProgress: (line: string) => void,
): Promise<void> {
  for (const { database, schema } of TEMPORAL_DATABASES) {
    const isNew = await createDatabase(postgresUrl, database);
    if (isNew) {
      onProgress(`Creating the database ${database}.`);
      await runTool(sqlTool, postgresUrl, database, ['setup-schema', '--version', NO_VERSION]);
    }
    await runTool(sqlTool, postgresUrl, database, ['update-schema', '--schema-name', schema]);
  }
}

/** Gives whether it has to be filled: a set-up that was cut short has left no version in it. */
async function createDatabase(postgresUrl: string, database: string): Promise<boolean> {
  await query(postgresUrl, `select from pg_database where datname = '${database}'`).then((found) =>
    found === 0 ? query(postgresUrl, `create database ${database}`) : null,
  );
  const url = new URL(postgresUrl);
  url.pathname = `/${database}`;
  const versions = "select from pg_tables where tablename = 'schema_version'";
  return (await query(url.href, versions)) === 0;
}

/** Gives the number of rows. */
async function query(url: string, sql: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rowCount ?? 0;
  } finally {
    await client.end();
  }
}

async function runTool(
  sqlTool: string,
  postgresUrl: string,
  database: string,
  command: readonly string[],
): Promise<void> {
  const { hostname, port, username, password } = new URL(postgresUrl);
  const result = await runCommand(sqlTool, command, {
    // By the environment: the password would be there for all to read in the arguments.
    env: {
      PATH: '/usr/bin:/bin',
      SQL_PLUGIN: 'postgres12',
      SQL_HOST: hostname,
      SQL_PORT: port || '5432',
      SQL_USER: decodeURIComponent(username),
      SQL_PASSWORD: decodeURIComponent(password),
      SQL_DATABASE: database,
    },
    timeoutMs: LIMIT_MS,
  });
  if (result.ok) return;
  throw new StartError(
    [
      `The schema of the database ${database} could not be brought up to date (${result.problem}):`,
      ...result.output.trim().split('\n').slice(-10),
    ].join('\n  '),
  );
}
