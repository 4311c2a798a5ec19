/**
 * Finds the Temporal CLI, whose `server start-dev` is the embedded dev server: on the
 * PATH, in the cache, by download, by a Go build, in this order.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { buildWithGo, withElapsed, type GoBuildOptions } from '../go-build.ts';
import { firstOnPath, isExecutable, programCache } from '../programs.ts';
import { runCommand } from '../run-command.ts';
import { downloadTemporal } from './download.ts';

/** Thrown when there is no way left to get the Temporal dev server; the message says what to do. */
export class TemporalNotFoundError extends Error {
  override readonly name = 'TemporalNotFoundError';
}

export interface FindTemporalOptions extends GoBuildOptions {
  readonly cacheHome: string;
}

/** The version that Daybell is tested with. */
export const TEMPORAL_CLI_VERSION = '1.5.1';
/**
 * The oldest server (CLI 1.3) that is taken from the PATH; earlier ones lack what the
 * workflows use. The CLI's own version says nothing: one that Go built calls itself 0.0.0.
 */
const OLDEST_SERVER = [1, 27] as const;

/** The path of a Temporal CLI that runs here. Two callers at once are safe. */
export async function findTemporalBinary(options: FindTemporalOptions): Promise<string> {
  const onPath = await findOnPath(options);
  if (onPath !== null) return onPath;

  const directory = programCache(options.cacheHome);
  const cached = join(directory, `temporal-${TEMPORAL_CLI_VERSION}`);
  if (await isExecutable(cached)) return cached;

  await mkdir(directory, { recursive: true });
  const failures: string[] = [];
  for (const get of [download, build]) {
    options.signal?.throwIfAborted();
    // Made elsewhere and renamed: nobody ever sees half a program.
    const workshop = join(directory, `.new-${randomUUID()}`);
    await mkdir(workshop);
    try {
      const result = await get(workshop, options);
      if (result.ok) {
        await rename(result.binary, cached);
        return cached;
      }
      failures.push(result.problem);
    } finally {
      await rm(workshop, { recursive: true, force: true });
    }
  }
  options.signal?.throwIfAborted();
  throw new TemporalNotFoundError(
    [
      'The Temporal dev server is not here, and could not be fetched:',
      ...failures.map((failure) => `  - ${failure}`),
      'Do one of these, then start again:',
      '  - install the Temporal CLI, so that `temporal` is on the PATH (https://docs.temporal.io/cli)',
      `  - install Go, with which it is built: go install github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`,
      '  - set TEMPORAL_ADDRESS to a Temporal server that runs already',
    ].join('\n'),
  );
}

type Fetched =
  | { readonly ok: true; readonly binary: string }
  | { readonly ok: false; readonly problem: string };

async function download(workshop: string, options: FindTemporalOptions): Promise<Fetched> {
  options.onProgress('Downloading the Temporal dev server (once).');
  const result = await withElapsed('Still downloading', options.onProgress, () =>
    downloadTemporal(workshop, TEMPORAL_CLI_VERSION, options),
  );
  if (!result.ok) {
    options.onProgress(`It could not be downloaded: ${result.problem}`);
    return { ok: false, problem: `download: ${result.problem}` };
  }
  const [name] = await readdir(workshop);
  if (name === undefined) return { ok: false, problem: 'download: nothing arrived' };
  return checked(join(workshop, name), 'download', options);
}

async function build(workshop: string, options: FindTemporalOptions): Promise<Fetched> {
  const problem = await buildWithGo(
    {
      what: 'the Temporal dev server',
      target: `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`,
      directory: workshop,
    },
    options,
  );
  if (problem !== null) return { ok: false, problem };
  return checked(join(workshop, 'temporal'), 'Go build', options);
}

/** A program for another processor or C library is found out here, not by its users. */
async function checked(
  binary: string,
  how: string,
  options: FindTemporalOptions,
): Promise<Fetched> {
  const version = await readServerVersion(binary, options.environment);
  return version === null
    ? { ok: false, problem: `${how}: what it gave does not run here` }
    : { ok: true, binary };
}

async function findOnPath(options: FindTemporalOptions): Promise<string | null> {
  const found = await firstOnPath('temporal', options.path);
  if (found === null) return null;
  const version = await readServerVersion(found, options.environment);
  if (version !== null && isRecent(version)) return found;
  options.onProgress(
    `Passing over ${found}: ${version === null ? 'it does not tell its version' : `its server ${version.join('.')} is older than ${OLDEST_SERVER.join('.')}`}.`,
  );
  return null;
}

function isRecent([major, minor]: readonly [number, number]): boolean {
  const [leastMajor, leastMinor] = OLDEST_SERVER;
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

/** From: temporal version 1.5.1 (Server 1.29.1, UI 2.42.1). Null when it does not run or says something else. */
async function readServerVersion(
  binary: string,
  environment: NodeJS.ProcessEnv,
): Promise<readonly [number, number] | null> {
  const result = await runCommand(binary, ['--version'], { env: environment, timeoutMs: 20_000 });
  const [, major, minor] = /Server v?(\d+)\.(\d+)\.\d+/.exec(result.output) ?? [];
  return result.ok && major !== undefined && minor !== undefined
    ? [Number(major), Number(minor)]
    : null;
}
