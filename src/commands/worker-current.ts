/**
 * `npm run worker:current`: which version of the workers is given work. With a build id, that one is
 * from now on; with `--unversioned`, workers without a build id are. Exit code 0 when that is so, 1 when
 * Temporal refuses, 69 when it is away, 78 for settings.
 */
import { parseArgs } from 'node:util';

import { InvalidSettingsError, loadSettings } from '../config/settings.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { classify, TemporalAwayError } from '../temporal/errors.ts';
import {
  type Build,
  BuildRefusedError,
  findDeployment,
  findWork,
  type KnownBuild,
  makeCurrent,
  type WorkOfQueue,
} from '../temporal/worker-versions.ts';
import { EXIT } from './exit.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    process.stdout.write(await run(wantedBuild()));
    return 0;
  } catch (thrown) {
    const error = thrown instanceof BuildRefusedError ? thrown : classify(thrown);
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof InvalidSettingsError) return EXIT.config;
    return error instanceof TemporalAwayError ? EXIT.unavailable : EXIT.failed;
  }
}

/** Undefined when it is only to be shown. */
function wantedBuild(): Build | undefined {
  const { values, positionals } = parseArgs({
    options: { unversioned: { type: 'boolean' } },
    allowPositionals: true,
  });
  return values.unversioned ? null : positionals[0];
}

async function run(build: Build | undefined): Promise<string> {
  const settings = loadSettings();
  const taskQueue = settings.TEMPORAL_TASK_QUEUE;
  const temporal = connectTemporal(settings);
  try {
    if (build !== undefined) await makeCurrent(temporal.client, taskQueue, build);
    const [work, deployment] = await Promise.all([
      findWork(temporal.client, taskQueue),
      findDeployment(temporal.client, taskQueue),
    ]);
    if (deployment !== null) return describe(work, deployment.known);
    return `No worker with a WORKER_BUILD_ID has been at the task queue ${taskQueue}: all of them are given work.\n`;
  } finally {
    await temporal.close();
  }
}

function describe({ current, alive }: WorkOfQueue, known: readonly KnownBuild[]): string {
  const builds = [...new Set<Build>([...known.map(({ buildId }) => buildId), ...alive, current])];
  const lines = builds.map((build) => {
    const workers = alive.has(build) ? 'workers are there' : 'no workers';
    return `${build === current ? '*' : ' '} ${build ?? '(without a build id)'}: ${workers}`;
  });
  return `${lines.join('\n')}\n\n* is given the work.\n`;
}
