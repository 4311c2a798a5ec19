import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

import type { BenchContext } from './run-bench.ts';

const SOURCE = join(import.meta.dirname, '..', '..', 'src');

export interface StartOptions {
  readonly databaseUrl: string;
  /** Settings that override the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Options of Node. */
  readonly nodeOptions?: readonly string[];
}

/** The API's process, on a free port; stopped when the bench ends. */
export async function startApi(
  options: StartOptions,
  context: BenchContext,
): Promise<{ readonly pid: number; readonly url: string }> {
  const api = startAlone('api/main.ts', options, context);
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: api.stdout }).on('line', (line) => {
      const { msg, url } = JSON.parse(line) as { readonly msg?: string; readonly url?: string };
      if (msg === 'listening' && url !== undefined) resolve(url);
    });
    api.once('exit', () => reject(new Error('the API ended')));
  });
  return { pid: api.pid ?? 0, url };
}

/** A Daybell process without Temporal, which the measured work does not need. */
export function startAlone(
  entry: string,
  { databaseUrl, settings = {}, nodeOptions = [] }: StartOptions,
  { atTheEnd }: BenchContext,
) {
  const child = spawn(process.execPath, [...nodeOptions, join(SOURCE, entry)], {
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: databaseUrl,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      PORT: '0',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  atTheEnd(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  return child;
}
