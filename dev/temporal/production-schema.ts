/** The two databases of the production Temporal server: created, and brought up to its version. */
import { countRows, createDatabase } from '../postgres/create-database.ts';
import { runCommand } from '../run-command.ts';
import { StartError } from '../start-error.ts';

/** The server keeps workflows in the first; lists of workflows are made from the second. */
export const TEMPORAL_DATABASES = [
  { database: 'temporal', schema: 'postgresql/v12/temporal' },
  { database: 'temporal_visibility', schema: 'postgresql/v12/visibility' },
] as const;

/** The tool runs a few dozen statements; one that hangs waits for a lock. */
const LIMIT_MS = 5 * 60_000;
/** What the tool names the first version of a schema. */
const NO_VERSION = '0.0';

/**
 * Brings both up to date. PostgreSQL must be running, and the user in the URL allowed to create
 * databases. Safe to run again.
 *
 * @throws StartError with what the tool said
 */
export async function setUpTemporalSchema(
  sqlTool: string,
  postgresUrl: string,
  onProgress: (line: string) => void,
): Promise<void> {
  for (const { database, schema } of TEMPORAL_DATABASES) {
    await createDatabase(postgresUrl, database);
    if (await isEmpty(postgresUrl, database)) {
      onProgress(`Creating the database ${database}.`);
      await runTool(sqlTool, postgresUrl, database, ['setup-schema', '--version', NO_VERSION]);
    }
    await runTool(sqlTool, postgresUrl, database, ['update-schema', '--schema-name', schema]);
  }
}

/** Whether its schema has to be set up: it is new, or a set-up was cut short. */
async function isEmpty(postgresUrl: string, database: string): Promise<boolean> {
  const url = new URL(postgresUrl);
  url.pathname = `/${database}`;
  const versions = "select from pg_tables where tablename = 'schema_version'";
  return (await countRows(url.href, versions)) === 0;
}

async function runTool(
  sqlTool: string,
  postgresUrl: string,
  database: string,
  command: readonly string[],
): Promise<void> {
  const { hostname, port, username, password } = new URL(postgresUrl);
  const result = await runCommand(sqlTool, command, {
    // By the environment: arguments, with the password among them, could be read by all.
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
