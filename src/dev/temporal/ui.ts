/** Temporal's Web UI as a process of its own, beside a production server, which has none. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { answersOk } from '../answers-ok.ts';
import type { ChildSpec } from '../child.ts';
import { TEMPORAL_SETTINGS } from './production-environment.ts';

export interface TemporalUiOptions {
  readonly program: string;
  /** Absolute; its configuration is written there. */
  readonly dataDir: string;
  readonly port: number;
  /** Of the Temporal server, `host:port`. */
  readonly temporalAddress: string;
}

/** What is the same wherever it runs. docker-compose.temporal.yml has the same, kept so by a test. */
export const TEMPORAL_UI_SETTINGS = {
  defaultNamespace: TEMPORAL_SETTINGS.namespace,
  // It is served on loopback, where there is no TLS.
  cookieInsecure: true,
  // It asks nobody outside for news.
  disableNewsFetch: true,
} as const;

const READY_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;
/** Its name for a set of settings: the file `<name>.yaml`. */
const SETTINGS_NAME = 'daybell';

/** Writes its configuration; starts nothing. */
export async function prepareTemporalUi(options: TemporalUiOptions): Promise<ChildSpec> {
  const { program, dataDir, port, temporalAddress } = options;
  const folder = join(dataDir, 'temporal-ui');
  await mkdir(folder, { recursive: true });
  const { defaultNamespace, cookieInsecure, disableNewsFetch } = TEMPORAL_UI_SETTINGS;
  const config = {
    temporalGrpcAddress: temporalAddress,
    host: '127.0.0.1',
    port,
    enableUi: true,
    hideLogs: true,
    defaultNamespace,
    disableNewsFetch,
    cors: { cookieInsecure, allowOrigins: [`http://127.0.0.1:${port}`] },
  };
  // JSON is YAML too.
  await writeFile(join(folder, `${SETTINGS_NAME}.yaml`), `${JSON.stringify(config, null, 2)}\n`);
  return {
    name: 'temporal-ui',
    // Before the server that it shows.
    stopStage: 2,
    spawn: () =>
      spawn(
        program,
        ['--root', dataDir, '--config', 'temporal-ui', '--env', SETTINGS_NAME, 'start'],
        {
          cwd: folder,
          env: { PATH: '/usr/bin:/bin' },
          detached: true,
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      ),
    // Asked through it, so that the way to the server is known to be open.
    readiness: () => answersOk(`http://127.0.0.1:${port}/api/v1/namespaces/${defaultNamespace}`),
    readyWithinMs: READY_LIMIT_MS,
    stopSignal: 'SIGTERM',
    stopWithinMs: STOP_LIMIT_MS,
    killSignal: 'SIGKILL',
  };
}
