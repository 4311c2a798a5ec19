import { join } from 'node:path';

import { type ChildSpec, NICENESS } from '../child.ts';
import { answersOk, serverProcess } from '../server-process.ts';

export interface TemporalServerOptions {
  readonly binary: string;
  /** Absolute; the server's database is the file `temporal.db` inside. */
  readonly dataDir: string;
  readonly port: number;
  readonly uiPort: number;
  readonly home: string;
}

/** The Temporal dev server with its Web UI, its timers kept on disk. */
export function temporalServer(options: TemporalServerOptions): ChildSpec {
  const { binary, dataDir, port, uiPort, home } = options;
  const flags = [
    '--ip=127.0.0.1',
    `--port=${port}`,
    `--ui-port=${uiPort}`,
    `--db-filename=${join(dataDir, 'temporal.db')}`,
    '--sqlite-pragma=journal_mode=WAL',
    // FULL: what the server has acknowledged survives a power loss too, as in PostgreSQL, whose
    // outbox relies on it. It then starts 155 workflows a second, instead of 200 to 240 with
    // NORMAL.
    '--sqlite-pragma=synchronous=FULL',
    '--log-level=warn',
    '--color=never',
  ];
  return serverProcess({
    name: 'temporal',
    niceness: NICENESS.temporal,
    program: binary,
    args: ['server', 'start-dev', '--disable-config-file', '--disable-config-env', ...flags],
    cwd: dataDir,
    env: { HOME: home },
    // Requested through the Web UI, so that both are known to be up.
    readiness: () => answersOk(`http://127.0.0.1:${uiPort}/api/v1/namespaces/default`),
  });
}
