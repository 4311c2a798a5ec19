/** The two processes that an import needs: the API, and a scheduler that plans what comes in. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

import type { BenchContext } from './run-bench.ts';

const SOURCE = join(import.meta.dirname, '..', '..', 'src');

export interface ImportProcesses {
  /** Their process ids. */
  readonly api: number;
  readonly scheduler: number;
  readonly url: string;
}

/**
 * Both are stopped when the bench ends. There is no Temporal: neither needs one for this.
 *
 * @param heapMb of the API's heap; 0: as Node has it
 */
export async function importProcesses(
  databaseUrl: string,
  heapMb: number,
  { atTheEnd }: BenchContext,
): Promise<ImportProcesses> {
  const env = {
    PATH: process.env['PATH'],
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    PORT: '0',
  };
  const start = (entry: string, ...options: readonly string[]) => {
    const child = spawn(process.execPath, [...options, join(SOURCE, entry)], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    atTheEnd(async () => {
      child.kill('SIGTERM');
      await ended;
    });
    return child;
  };
  const scheduler = start('planning/main.ts');
  scheduler.stdout.resume();
  const heap = [`--max-old-space-size=${heapMb}`, '--max-semi-space-size=8'];
  const api = start('api/main.ts', ...(heapMb > 0 ? heap : []));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: api.stdout }).on('line', (line) => {
      const { msg, url } = JSON.parse(line) as { readonly msg?: string; readonly url?: string };
      if (msg === 'listening' && url !== undefined) resolve(url);
    });
    api.once('exit', () => reject(new Error('the API ended')));
  });
  return { api: api.pid ?? 0, scheduler: scheduler.pid ?? 0, url };
}
