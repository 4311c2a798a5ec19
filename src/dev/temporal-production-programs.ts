/**
 * The production Temporal server, its schema tool and its Web UI, built with Go from their
 * released source: there is no download of them by version that fits every machine.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { buildWithGo, type GoBuildOptions } from './go-build.ts';
import { isExecutable, programCache } from './programs.ts';
import { StartError } from './start-error.ts';

/** The version that Daybell is measured with. */
export const TEMPORAL_SERVER_VERSION = '1.32.0';
/** The newest that builds with the Go that the server needs. */
export const TEMPORAL_UI_VERSION = '2.55.0';

export interface ProductionPrograms {
  readonly server: string;
  /** Creates and updates the schema in a SQL database. */
  readonly sqlTool: string;
}

export interface FindProductionProgramsOptions extends GoBuildOptions {
  readonly cacheHome: string;
}

/**
 * The paths of both, from the cache or built now. Two callers at once are safe.
 *
 * @throws StartError when they are not here and cannot be built
 */
export async function findProductionPrograms(
  options: FindProductionProgramsOptions,
): Promise<ProductionPrograms> {
  // One after the other: each keeps all cores busy.
  const server = await find(SERVER, options);
  return { server, sqlTool: await find(SQL_TOOL, options) };
}

/**
 * The path of the Web UI's server, from the cache or built now.
 *
 * @throws StartError when it is not here and cannot be built
 */
export async function findTemporalUi(options: FindProductionProgramsOptions): Promise<string> {
  return find(UI, options);
}

interface Program {
  readonly cachedAs: string;
  readonly goPackage: string;
  readonly version: string;
  readonly what: string;
  readonly takes: string;
}

const SERVER: Program = {
  cachedAs: `temporal-server-${TEMPORAL_SERVER_VERSION}`,
  goPackage: 'go.temporal.io/server/cmd/server',
  version: TEMPORAL_SERVER_VERSION,
  what: 'the Temporal server',
  takes: 'about 4 minutes on 2 cores',
};

const SQL_TOOL: Program = {
  cachedAs: `temporal-sql-tool-${TEMPORAL_SERVER_VERSION}`,
  goPackage: 'go.temporal.io/server/cmd/tools/sql',
  version: TEMPORAL_SERVER_VERSION,
  what: "the Temporal server's schema tool",
  takes: 'less than a minute after the server',
};

const UI: Program = {
  cachedAs: `temporal-ui-${TEMPORAL_UI_VERSION}`,
  goPackage: 'github.com/temporalio/ui-server/v2/cmd/server',
  version: TEMPORAL_UI_VERSION,
  what: "Temporal's Web UI",
  takes: 'about a minute',
};

async function find(program: Program, options: FindProductionProgramsOptions): Promise<string> {
  const { goPackage, version, what, takes } = program;
  const cache = programCache(options.cacheHome);
  const cached = join(cache, program.cachedAs);
  if (await isExecutable(cached)) return cached;

  // Made elsewhere and renamed: nobody ever sees half a program.
  const workshop = join(cache, `.new-${randomUUID()}`);
  await mkdir(workshop, { recursive: true });
  try {
    const target = `${goPackage}@v${version}`;
    const problem = await buildWithGo({ what, target, takes, directory: workshop }, options);
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
