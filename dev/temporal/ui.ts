/** Temporal's Web UI as a separate process, beside a production server, which has none. */
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
  /** The address of the Temporal server, `host:port`. */
  readonly temporalAddress: string;
}

/**
 * The settings that are the same everywhere. docker-compose.temporal.yml repeats them; a test
 * compares.
 */
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
    // Requested through it, so that the connection to the server is known to work.
    readiness: () => answersOk(`http://127.0.0.1:${port}/api/v1/namespaces/${defaultNamespace}`),
  });
}
