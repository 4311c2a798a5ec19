import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

import type { BenchContext } from './run-bench.ts';

const SOURCE = join(import.meta.dirname, '..', '..', 'src');

export interface StartOptions {
  readonly databaseUrl: string;
  /** Settings besides the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Of Node. */
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

/** A process of Daybell's without Temporal, which it does not need for what is measured. */
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
