import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { answersOk } from '../answers-ok.ts';
import type { ChildSpec } from '../child.ts';

export interface TemporalServerOptions {
  readonly binary: string;
  /** Absolute; the server's database is the file `temporal.db` inside. */
  readonly dataDir: string;
  readonly port: number;
  readonly uiPort: number;
  readonly home: string;
}

const READY_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 15_000;

/** The Temporal dev server with its Web UI, its timers kept on disk. */
export function temporalServer(options: TemporalServerOptions): ChildSpec {
  return {
    name: 'temporal',
    stopStage: 3,
    spawn: () =>
      spawn(options.binary, serverArguments(options), {
        cwd: options.dataDir,
        // Nothing of our environment: a client's profile there is for another server.
        env: { HOME: options.home, PATH: '/usr/bin:/bin' },
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    // Asked through the Web UI, so that both are known to be up.
    readiness: () => answersOk(`http://127.0.0.1:${options.uiPort}/api/v1/namespaces/default`),
    readyWithinMs: READY_LIMIT_MS,
    stopSignal: 'SIGTERM',
    stopWithinMs: STOP_LIMIT_MS,
    killSignal: 'SIGKILL',
  };
}

function serverArguments({ dataDir, port, uiPort }: TemporalServerOptions): string[] {
  const flags: readonly (readonly [string, string])[] = [
    ['ip', '127.0.0.1'],
    ['port', String(port)],
    ['ui-port', String(uiPort)],
    ['db-filename', join(dataDir, 'temporal.db')],
    ['sqlite-pragma', 'journal_mode=WAL'],
    // FULL: what the server has answered survives a loss of power too, as in PostgreSQL, whose
    // outbox counts on it. It starts 155 workflows a second so, and 200 to 240 with NORMAL.
    ['sqlite-pragma', 'synchronous=FULL'],
    ['log-level', 'warn'],
    ['color', 'never'],
  ];
  return [
    'server',
    'start-dev',
    '--disable-config-file',
    '--disable-config-env',
    ...flags.flatMap(([name, value]) => [`--${name}`, value]),
  ];
}
