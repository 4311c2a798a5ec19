/** Programs that are built with Go from their released source, once, and kept in the cache. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { buildWithGo, type GoBuildOptions } from './go-build.ts';
import { isExecutable, programCache } from './programs.ts';
import { StartError } from './start-error.ts';

export interface GoProgram {
  /** Its file in the cache, with its version in the name. */
  readonly cachedAs: string;
  readonly goPackage: string;
  readonly version: string;
  /** In words, as progress has it. */
  readonly what: string;
}

export interface FindGoProgramOptions extends GoBuildOptions {
  readonly cacheHome: string;
}

/**
 * The path of a program, from the cache or built now. Two callers at once are safe.
 *
 * @throws StartError when it is not here and cannot be built
 */
export async function findGoProgram(
  { cachedAs, goPackage, version, what }: GoProgram,
  options: FindGoProgramOptions,
): Promise<string> {
  const cache = programCache(options.cacheHome);
  const cached = join(cache, cachedAs);
  if (await isExecutable(cached)) return cached;

  // Made elsewhere and renamed: nobody ever sees half a program.
  const workshop = join(cache, `.new-${randomUUID()}`);
  await mkdir(workshop, { recursive: true });
  try {
    const target = `${goPackage}@v${version}`;
    const problem = await buildWithGo({ what, target, directory: workshop }, options);
    options.signal?.throwIfAborted();
    if (problem !== null) throw new StartError(unavailable(what, target, problem));
    await rename(join(workshop, basename(goPackage)), cached);
    return cached;
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

function unavailable(what: string, target: string, problem: string): string {
  return [
    `${what} is not here, and could not be built:`,
    `  - ${problem}`,
    'Install Go, with which it is built, and start again; or build it elsewhere:',
    `  go install ${target}`,
  ].join('\n');
}
