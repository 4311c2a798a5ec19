/** Programs on this machine: on the PATH, or downloaded once into a cache outside the checkout. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';

import { runCommand } from './run-command.ts';
import { StartError } from './start-error.ts';

export interface ProgramOptions {
  readonly cacheHome: string;
  /** The search path for programs. */
  readonly path: string;
  /** Includes proxies, and Go's own variables. */
  readonly environment: NodeJS.ProcessEnv;
  readonly onProgress: (line: string) => void;
  /** Aborts, and leaves nothing running. */
  readonly signal?: AbortSignal;
}

/** Nine minutes on two busy cores for the largest, downloads included. */
const BUILD_LIMIT_MS = 20 * 60_000;

/** The first program of this name on a search path in the shell's form, or null. */
export async function firstOnPath(program: string, path: string): Promise<string | null> {
  for (const directory of path.split(delimiter).filter((entry) => entry !== '')) {
    const candidate = join(directory, program);
    if (await isExecutable(candidate)) return candidate;
  }
  return null;
}

/** Whether it is a file that can be run. */
export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/**
 * The path of a program in the cache, which is fetched if it is missing. Two callers at once are
 * safe.
 *
 * @param fetchInto puts the program into an empty folder, and returns its path
 */
export async function cachedProgram(
  name: string,
  cacheHome: string,
  fetchInto: (folder: string) => Promise<string>,
): Promise<string> {
  const cache = join(cacheHome, 'daybell', 'bin');
  const cached = join(cache, name);
  if (await isExecutable(cached)) return cached;
  // Made elsewhere and renamed, so that an incomplete program is never found.
  const workshop = join(cache, `.new-${randomUUID()}`);
  await mkdir(workshop, { recursive: true });
  try {
    await rename(await fetchInto(workshop), cached);
    return cached;
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

/**
 * The path of a program, from the cache or built from its released source. Two callers at once are
 * safe.
 *
 * @throws StartError when it cannot be built
 */
export async function findGoProgram(
  name: string,
  goPackage: string,
  version: string,
  options: ProgramOptions,
): Promise<string> {
  const target = `${goPackage}@v${version}`;
  return cachedProgram(`${name}-${version}`, options.cacheHome, async (folder) => {
    const problem = await buildWithGo(target, folder, options);
    if (problem === null) return join(folder, basename(goPackage));
    throw new StartError(
      `${name} is not on this machine, and could not be built. ${problem}\nInstall Go, with which it is built, and start again; or build it elsewhere: go install ${target}`,
    );
  });
}

/**
 * Builds a target such as `github.com/temporalio/cli/cmd/temporal@v1.5.1` into a folder, under the
 * last part of its path. Returns what went wrong, or null; rejects if it was aborted.
 */
export async function buildWithGo(
  target: string,
  folder: string,
  { path, environment, signal, onProgress }: Omit<ProgramOptions, 'cacheHome'>,
  flags: readonly string[] = [],
): Promise<string | null> {
  const go = await firstOnPath('go', path);
  if (go === null) return 'Go build: there is no `go` on the PATH';
  onProgress(`Building ${target} with Go (once; up to 10 minutes on 2 busy cores).`);
  const result = await runCommand(go, ['install', ...flags, target], {
    env: { ...environment, GOBIN: folder },
    timeoutMs: BUILD_LIMIT_MS,
    signal,
  });
  signal?.throwIfAborted();
  return result.ok ? null : `Go build: ${result.problem}: ${lastLine(result.output)}`;
}

export function lastLine(output: string): string {
  return output.trim().split('\n').at(-1) ?? '';
}
