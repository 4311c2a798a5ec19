import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { Connection } from '@temporalio/client';

import { freePort } from './free-port.ts';

export interface DevServer {
  readonly address: string;
  /** Ends it at once; its memory is lost. */
  stop(): Promise<void>;
}

export interface DevServerOptions {
  readonly binary: string;
  /** A free one by default. */
  readonly port?: number;
  /** Where it keeps its state; in memory by default. */
  readonly database?: string;
  /** Temporal's dynamic configuration, such as `matching.PollerHistoryTTL="6s"`. */
  readonly dynamicConfig?: readonly string[];
}

/** Ignores a developer's own configuration; no Web UI. */
const START = [
  'server',
  'start-dev',
  '--disable-config-file',
  '--disable-config-env',
  '--headless',
  '--log-level',
  'error',
];
const START_LIMIT_MS = 180_000;

/** A real Temporal server, ready to be used. */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const { binary, port = await freePort(), database, dynamicConfig = [] } = options;
  const address = `127.0.0.1:${port}`;
  const place = ['--ip', '127.0.0.1', '--port', String(port)];
  const state = database === undefined ? [] : ['--db-filename', database];
  const limits = dynamicConfig.flatMap((value) => ['--dynamic-config-value', value]);
  const server = spawn(binary, [...START, ...place, ...state, ...limits], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const stop = () => end(server);
  try {
    await untilReady(address, server);
  } catch (error) {
    await stop();
    throw error;
  }
  return { address, stop };
}

async function untilReady(address: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (server.exitCode === null && Date.now() < deadline) {
    const connection = Connection.lazy({ address, connectTimeout: 5_000 });
    try {
      await connection.ensureConnected();
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      return;
    } catch {
      await sleep(100);
    } finally {
      await connection.close();
    }
  }
  throw new Error(`The Temporal dev server at ${address} did not start`);
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}
