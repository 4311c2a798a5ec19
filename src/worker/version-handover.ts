/** Which version of the workers gets the work: docs/adr/0014-worker-versions.md. */
import type { Client } from '@temporalio/client';

import { InvalidSettingsError } from '../platform/settings/settings.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import { createLoop } from '../platform/loop.ts';
import {
  type Build,
  findDeployment,
  findQueueState,
  type KnownBuild,
  lacksDeployments,
  makeCurrent,
  type QueueState,
} from '../platform/temporal/worker-versions.ts';

export interface VersionHandoverOptions {
  readonly client: Client;
  readonly taskQueue: string;
  /** The build of this worker. */
  readonly build: Build;
  readonly logger: Logger;
  /** Called if this Temporal has no worker versions. */
  readonly onRefused: (error: InvalidSettingsError) => void;
}

const LOOK_EVERY_MS = 5_000;
/** A new worker is known within a second, and may be the first: until then no worker gets tasks. */
const LOOK_WHEN_NEW_EVERY_MS = 1_000;
/** While it is current, it only needs to notice when another version takes over. */
const LOOK_WHEN_CURRENT_EVERY_MS = 30_000;

/** Ensures, in the background, that the work goes to a version that has workers. */
export function startVersionHandover(options: VersionHandoverOptions): { stop(): Promise<void> } {
  const { client, taskQueue, build, logger, onRefused } = options;
  let previous: VersionState | null = null;

  async function look(): Promise<number> {
    const queue = await findQueueState(client, taskQueue);
    const deployment = queue.current === build ? null : await findDeployment(client, taskQueue);
    const state = versionState(build, queue, deployment?.known ?? []);
    const about = { buildId: build, current: queue.current };
    if (state === 'new' || state === 'abandoned') {
      await makeCurrent(client, taskQueue, build, deployment?.token);
      logger.info({ ...about, state }, 'this version gets the work from now on');
    } else if (state === 'other' && previous !== state) {
      logger.warn(
        about,
        'another version gets the work, this one gets none: npm run worker:current changes that',
      );
    }
    previous = state;
    if (state === 'unknown') return LOOK_WHEN_NEW_EVERY_MS;
    return state === 'current' ? LOOK_WHEN_CURRENT_EVERY_MS : LOOK_EVERY_MS;
  }

  const loop = createLoop(look, (error, failures) => {
    if (lacksDeployments(error)) {
      void loop.stop();
      const fault =
        'WORKER_BUILD_ID: this Temporal has no worker deployments, which came with 1.28; leave it unset';
      if (build !== null) onRefused(new InvalidSettingsError([fault]));
      return 0;
    }
    previous = null;
    // Temporal is down, another worker was faster, or workers of another task are still to come.
    const level = failures === 1 ? 'info' : 'debug';
    logger[level]({ error: describeError(error) }, 'waiting to see which version gets the work');
    return LOOK_EVERY_MS;
  });
  loop.start();
  return { stop: loop.stop };
}

export type VersionState = 'current' | 'new' | 'abandoned' | 'other' | 'unknown';

/**
 * A version's state relative to the current one: it is current itself, or has never been, as in a
 * rollout; the current version has no workers left, or has some; or Temporal does not know this
 * worker yet.
 *
 * A rollout cannot be forgotten, and is not undone when a worker of the previous version happens to
 * restart: a build takes over once by itself, when it first appears, and after that only from a
 * version without workers.
 *
 * @param known the builds that Temporal knows; not needed while `own` is current
 */
export function versionState(
  own: Build,
  { current, alive }: QueueState,
  known: readonly KnownBuild[],
): VersionState {
  if (current === own) return 'current';
  if (!alive.has(own)) return 'unknown';
  const build = known.find(({ buildId }) => buildId === own);
  if (build !== undefined && !build.wasCurrent) return 'new';
  if (build === undefined && own !== null) return 'unknown';
  return alive.has(current) ? 'other' : 'abandoned';
}
