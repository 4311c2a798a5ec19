/** Temporal's Web UI as a process of its own, beside a production server, which has none. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { ChildSpec } from '../child.ts';
import { answersOk, serverProcess } from '../server-process.ts';
import { TEMPORAL_SETTINGS } from './production.ts';

export interface TemporalUiOptions {
  readonly program: string;
  /** Absolute; its configuration is written there. */
  readonly dataDir: string;
  readonly port: number;
  /** Of the Temporal server, `host:port`. */
  readonly temporalAddress: string;
}

/** What is the same wherever it runs. docker-compose.temporal.yml has the same; a test compares. */
export const TEMPORAL_UI_SETTINGS = {
  defaultNamespace: TEMPORAL_SETTINGS.namespace,
  // It is served on loopback, where there is no TLS.
  cookieInsecure: true,
  // It makes no requests to the internet.
  disableNewsFetch: true,
} as const;

/** Writes its configuration; starts nothing. */
export async function prepareTemporalUi(options: TemporalUiOptions): Promise<ChildSpec> {
  const { program, dataDir, port, temporalAddress } = options;
  const { defaultNamespace, cookieInsecure, disableNewsFetch } = TEMPORAL_UI_SETTINGS;
  const folder = join(dataDir, 'temporal-ui');
  await mkdir(folder, { recursive: true });
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
  await writeFile(join(folder, 'daybell.yaml'), JSON.stringify(config));
  return serverProcess({
    name: 'temporal-ui',
    program,
    args: ['--root', dataDir, '--config', 'temporal-ui', '--env', 'daybell', 'start'],
    cwd: folder,
    // Asked through it, so that the way to the server is known to be open.
    readiness: () => answersOk(`http://127.0.0.1:${port}/api/v1/namespaces/${defaultNamespace}`),
  });
}
