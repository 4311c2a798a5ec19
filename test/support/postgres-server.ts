/**
 * The run's PostgreSQL: the embedded default's own server, in a folder that is removed with the
 * run.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { prepareEmbeddedPostgres } from '../../dev/postgres/embedded.ts';
import { freePort } from './free-port.ts';
import { withDatabase } from './postgres.ts';

export interface PostgresServer {
  readonly adminUrl: string;
  stop(): Promise<void>;
}

export async function startPostgresServer(): Promise<PostgresServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'daybell-test-'));
  const { url, child } = await prepareEmbeddedPostgres({
    dataDir,
    port: await freePort(),
    // Four workers of vitest, and in each the pools of a few services.
    connections: 500,
    isThrowaway: true,
    onProgress: () => {},
  });
  const server = child.spawn();
  // Its log contains nothing that a test's own error doesn't.
  server.stdout?.resume();
  server.stderr?.resume();
  const ended = once(server, 'exit');
  const kill = () => server.kill(child.killSignal);
  process.once('exit', kill);
  while (!(await child.readiness?.())) {
    if (server.exitCode !== null) throw new Error('PostgreSQL ended before it was ready');
    await sleep(50);
  }
  return {
    adminUrl: withDatabase(url, 'postgres'),
    async stop() {
      process.off('exit', kill);
      server.kill(child.stopSignal);
      await ended;
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
