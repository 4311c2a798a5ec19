/**
 * Finds the Temporal CLI, whose `server start-dev` is the embedded dev server: on the PATH, in the
 * cache, by download, or by a Go build, in this order.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import {
  buildWithGo,
  cachedProgram,
  firstOnPath,
  lastLine,
  type ProgramOptions,
} from '../programs.ts';
import { runCommand } from '../run-command.ts';
import { StartError } from '../start-error.ts';

/** The version that Daybell is tested with. */
export const TEMPORAL_CLI_VERSION = '1.5.1';
const GO_TARGET = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`;
/**
 * The oldest server, 1.27 (CLI 1.3), that is accepted from the PATH; earlier ones lack features
 * that the workflows use. The CLI's own version says nothing: one built with Go calls itself 0.0.0.
 */
const OLDEST_MINOR = 27;
/** Without a network it fails after two minutes, when the system gives up connecting. */
const DOWNLOAD_LIMIT_MS = 15 * 60_000;
const VERSION_LIMIT_MS = 20_000;

/**
 * The path of a Temporal CLI. Two callers at once are safe.
 *
 * @throws StartError if none can be found or made
 */
export async function findTemporalBinary(options: ProgramOptions): Promise<string> {
  return (
    (await findOnPath(options)) ??
    cachedProgram(`temporal-${TEMPORAL_CLI_VERSION}`, options.cacheHome, (folder) =>
      fetchInto(folder, options),
    )
  );
}

async function findOnPath({
  path,
  environment,
  onProgress,
}: ProgramOptions): Promise<string | null> {
  const found = await firstOnPath('temporal', path);
  if (found === null) return null;
  const result = await runCommand(found, ['--version'], {
    env: environment,
    timeoutMs: VERSION_LIMIT_MS,
  });
  // temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)
  const minor = Number(/Server v?1\.(\d+)/.exec(result.output)?.[1] ?? 0);
  if (minor >= OLDEST_MINOR) return found;
  onProgress(`Passing over ${found}: its server 1.${minor} is older than 1.${OLDEST_MINOR}.`);
  return null;
}

async function fetchInto(folder: string, options: ProgramOptions): Promise<string> {
  const { environment, onProgress, signal } = options;
  onProgress('Downloading the Temporal dev server (once).');
  // In a separate process, which can be ended, and keeps the SDK's native library out of this one.
  const script = join(import.meta.dirname, 'download-child.ts');
  const download = await runCommand(
    process.execPath,
    [script, folder, `v${TEMPORAL_CLI_VERSION}`],
    { env: environment, timeoutMs: DOWNLOAD_LIMIT_MS, signal },
  );
  signal?.throwIfAborted();
  const [downloaded] = await readdir(folder);
  if (download.ok && downloaded !== undefined) return join(folder, downloaded);

  const problem = lastLine(download.output) || download.problem;
  onProgress(`It could not be downloaded: ${problem}`);
  const buildProblem = await buildWithGo(GO_TARGET, folder, options);
  if (buildProblem === null) return join(folder, 'temporal');
  throw new StartError(
    [
      'The Temporal dev server is not on this machine, and could not be fetched:',
      `  - download: ${problem}`,
      `  - ${buildProblem}`,
      'Install the Temporal CLI (https://docs.temporal.io/cli) or Go, with which it is built, and start again,',
      'or set TEMPORAL_ADDRESS to a Temporal server that is already running.',
    ].join('\n'),
  );
}
