/**
 * The download that Temporal's SDK does itself for its test environment. It runs in a
 * process of its own, which is ended when nothing arrives, and keeps the SDK's native
 * library out of the supervisor.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { runCommand, type CommandResult } from '../run-command.ts';

export interface DownloadOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** Without a network a resolver may hang: give up when nothing has arrived for so long. */
const STALLED_MS = 15_000;
const LOOK_EVERY_MS = 500;
const DOWNLOAD_LIMIT_MS = 15 * 60_000;

/** Puts the CLI's program into `directory`, which is empty and stays empty on a failure. */
export async function downloadTemporal(
  directory: string,
  version: string,
  { environment, signal }: DownloadOptions,
): Promise<{ readonly ok: boolean; readonly problem: string }> {
  const stalled = new AbortController();
  const watch = watchGrowth(directory, () => stalled.abort());
  const script = join(import.meta.dirname, 'download-child.ts');
  const result = await runCommand(process.execPath, [script, directory, `v${version}`], {
    env: environment,
    timeoutMs: DOWNLOAD_LIMIT_MS,
    signal: signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]),
  });
  watch.stop();
  if (result.ok) return { ok: true, problem: '' };
  return {
    ok: false,
    problem: stalled.signal.aborted ? 'nothing arrived: is there a network?' : reasonIn(result),
  };
}

/** The child prints its reason as the last line. */
function reasonIn(result: CommandResult): string {
  return result.output.trim().split('\n').at(-1) || result.problem;
}

function watchGrowth(directory: string, onStalled: () => void): { stop(): void } {
  let size = 0;
  let grownAt = Date.now();
  const timer = setInterval(async () => {
    const now = await sizeOf(directory);
    if (now !== size) {
      size = now;
      grownAt = Date.now();
    } else if (Date.now() - grownAt > STALLED_MS) {
      onStalled();
    }
  }, LOOK_EVERY_MS);
  return { stop: () => clearInterval(timer) };
}

async function sizeOf(directory: string): Promise<number> {
  try {
    const names = await readdir(directory);
    const sizes = await Promise.all(
      names.map(async (name) => (await stat(join(directory, name))).size),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    // A file was renamed between the two calls: the next look will see it.
    return -1;
  }
}
