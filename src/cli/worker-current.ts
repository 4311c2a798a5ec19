/**
 * `npm run worker:current`: shows which version of the workers gets the work. With a build id,
 * makes it that one; with `--unversioned`, the workers without a build id. Exit code 0, 1 when
 * Temporal refuses, 69 when it is down, 78 for settings.
 */
import { parseArgs } from 'node:util';

import { loadSettings } from '../platform/settings/settings.ts';
import { connectTemporal } from '../platform/temporal/connection.ts';
import { classify, TemporalAwayError } from '../platform/temporal/errors.ts';
import {
  type Build,
  BuildRefusedError,
  findDeployment,
  findQueueState,
  type KnownBuild,
  makeCurrent,
  type QueueState,
} from '../platform/temporal/worker-versions.ts';
import { CommandError, EXIT, runCommand } from './command.ts';

await runCommand(async () => {
  const { values, positionals } = parseArgs({
    options: { unversioned: { type: 'boolean' } },
    allowPositionals: true,
  });
  const settings = loadSettings();
  const taskQueue = settings.TEMPORAL_TASK_QUEUE;
  const { client, close } = connectTemporal(settings);
  try {
    const build = values.unversioned ? null : positionals[0];
    if (build !== undefined) await makeCurrent(client, taskQueue, build);
    const [queue, deployment] = await Promise.all([
      findQueueState(client, taskQueue),
      findDeployment(client, taskQueue),
    ]);
    if (deployment !== null) return describe(queue, deployment.known);
    return `No worker with a WORKER_BUILD_ID has polled the task queue ${taskQueue}: all of its workers get work.\n`;
  } catch (error) {
    const classified = error instanceof BuildRefusedError ? error : classify(error);
    if (!(classified instanceof TemporalAwayError)) throw classified;
    throw new CommandError(classified.message, EXIT.unavailable, { cause: classified });
  } finally {
    await close();
  }
});

function describe({ current, alive }: QueueState, known: readonly KnownBuild[]): string {
  const builds = [...new Set<Build>([...known.map(({ buildId }) => buildId), ...alive, current])];
  const lines = builds.map((build) => {
    const workers = alive.has(build) ? 'has workers' : 'no workers';
    return `${build === current ? '*' : ' '} ${build ?? '(without a build id)'}: ${workers}`;
  });
  return `${lines.join('\n')}\n\n* gets the work.\n`;
}
