/** The production Temporal server on a PostgreSQL of its own, for a test file of its own. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePorts } from '../../dev/ports.ts';
import { prepareProductionTemporal } from '../../dev/temporal/production.ts';
import { startPostgresServer } from '../support/postgres-server.ts';
import { connectTo, findProductionPrograms, type TestTemporal } from '../support/temporal.ts';

const READY_LIMIT_MS = 120_000;

export async function startProductionTemporal(): Promise<TestTemporal> {
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
    // Nothing is measured here: fewer are there sooner.
    historyShards: 4,
    onProgress: () => {},
  });
  const running = child.spawn();
  running.stdout?.resume();
  running.stderr?.resume();
  const stop = async (): Promise<void> => {
    if (running.exitCode === null && running.signalCode === null) {
      const gone = once(running, 'exit');
      running.kill('SIGKILL');
      await gone;
    }
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const deadline = Date.now() + READY_LIMIT_MS;
    while (!(await child.readiness?.())) {
      if (running.exitCode !== null || Date.now() > deadline) {
        throw new Error('The production Temporal server did not start');
      }
      await sleep(200);
    }
    const temporal = await connectTo(`127.0.0.1:${port}`);
    return {
      ...temporal,
      async close() {
        await temporal.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
