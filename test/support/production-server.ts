/** The production Temporal server on a PostgreSQL of its own. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ChildSpec } from '../../dev/child.ts';
import { freePorts } from '../../dev/ports.ts';
import { prepareProductionTemporal } from '../../dev/temporal/production.ts';
import { startPostgresServer } from './postgres-server.ts';
import { findProductionPrograms } from './temporal.ts';

const READY_LIMIT_MS = 120_000;

/**
 * Starts the server, with these variables besides its own; it may not answer yet.
 *
 * @param nodes from 2 on, a cluster
 */
export async function startProductionServer(
  environment: Readonly<Record<string, string>> = {},
  nodes = 1,
) {
  const programs = await findProductionPrograms();
  const directory = await mkdtemp(join(tmpdir(), 'daybell-temporal-'));
  // Its own PostgreSQL: the names of the server's two databases are always the same.
  const postgres = await startPostgresServer();
  const [port = 0] = await freePorts(1);
  const { children } = await prepareProductionTemporal({
    programs,
    dataDir: directory,
    postgresUrl: postgres.adminUrl,
    port,
    nodes,
    // Nothing is measured here: fewer shards start sooner.
    environment: { NUM_HISTORY_SHARDS: '4', ...environment },
    onProgress: () => {},
  });
  const processes = children.map((child) => ({ name: child.name, child, running: run(child) }));
  let deaths = 0;
  /**
   * Restarts it, as a supervisor does: in a new cluster, two may create the system's namespace, and
   * one dies of it.
   */
  const runAgain = (): void => {
    for (const each of processes.filter(({ running }) => hasEnded(running))) {
      deaths += 1;
      each.running = run(each.child);
    }
  };
  return {
    address: `127.0.0.1:${port}`,
    isReady: async (): Promise<boolean> => {
      const ready = await Promise.all(children.map(({ readiness }) => readiness?.()));
      return ready.every((one) => one === true);
    },
    /** kill -9, for a process of a cluster; it does not return. */
    async kill(name: string): Promise<void> {
      const found = processes.find((one) => one.name === name);
      if (found === undefined) throw new Error(`there is no ${name}`);
      await killed(found.running);
    },
    /** Throws if it ends before it is ready, or takes too long; `isReady` may throw until then. */
    async untilReady(isReady: () => Promise<boolean>): Promise<void> {
      const deadline = Date.now() + READY_LIMIT_MS;
      let last: unknown = null;
      while (deaths < children.length && Date.now() < deadline) {
        runAgain();
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
      await Promise.all(processes.map(({ running }) => killed(running)));
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function run(child: ChildSpec): ChildProcess {
  const running = child.spawn();
  running.stdout?.resume();
  running.stderr?.resume();
  return running;
}

async function killed(running: ChildProcess): Promise<void> {
  if (hasEnded(running)) return;
  const gone = once(running, 'exit');
  running.kill('SIGKILL');
  await gone;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
