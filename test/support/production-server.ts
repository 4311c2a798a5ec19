/** The production Temporal server on a PostgreSQL of its own. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePorts } from '../../dev/ports.ts';
import { prepareProductionTemporal } from '../../dev/temporal/production.ts';
import { startPostgresServer } from './postgres-server.ts';
import { findProductionPrograms } from './temporal.ts';

const READY_LIMIT_MS = 120_000;

/** Starts the server, with these variables besides its own; it may not answer yet. */
export async function startProductionServer(environment: Readonly<Record<string, string>> = {}) {
  const programs = await findProductionPrograms();
  const directory = await mkdtemp(join(tmpdir(), 'daybell-temporal-'));
  // Of its own: the names of the server's two databases are always the same.
  const postgres = await startPostgresServer();
  const [port = 0, httpPort = 0] = await freePorts(2);
  const child = await prepareProductionTemporal({
    programs,
    dataDir: directory,
    postgresUrl: postgres.adminUrl,
    port,
    httpPort,
    // Nothing is measured here: fewer shards are there sooner.
    environment: { NUM_HISTORY_SHARDS: '4', ...environment },
    onProgress: () => {},
  });
  const running = child.spawn();
  running.stdout?.resume();
  running.stderr?.resume();
  return {
    address: `127.0.0.1:${port}`,
    isReady: async (): Promise<boolean> => (await child.readiness?.()) ?? false,
    /** Throws when it ends before it is ready, or takes too long; `isReady` may throw until then. */
    async untilReady(isReady: () => Promise<boolean>): Promise<void> {
      const deadline = Date.now() + READY_LIMIT_MS;
      let last: unknown = null;
      while (running.exitCode === null && Date.now() < deadline) {
        try {
          if (await isReady()) return;
        } catch (error) {
          last = error;
        }
        await sleep(200);
      }
      throw new Error('The production Temporal server did not start', { cause: last });
    },
    async stop(): Promise<void> {
      if (running.exitCode === null && running.signalCode === null) {
        const gone = once(running, 'exit');
        running.kill('SIGKILL');
        await gone;
      }
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
