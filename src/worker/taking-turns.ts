import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from '@temporalio/client';

import { InvalidSettingsError } from '../config/settings.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import {
  type Build,
  findDeployment,
  findWork,
  lacksDeployments,
  makeCurrent,
} from '../temporal/worker-versions.ts';
import { type Turn, turnOf } from './turn.ts';

export interface TakingTurnsOptions {
  readonly client: Client;
  readonly taskQueue: string;
  /** Of this worker. */
  readonly build: Build;
  readonly logger: Logger;
  /** Told when Temporal has no worker versions. */
  readonly onRefused: (error: InvalidSettingsError) => void;
}

const LOOK_EVERY_MS = 5_000;
/** A worker that has just come is known in a second, and may be the first: nobody works until it is. */
const LOOK_WHEN_NEW_EVERY_MS = 1_000;
/** With the work, there is nothing to do but to notice that it is another's now. */
const LOOK_WITH_WORK_EVERY_MS = 30_000;

/** Sees to it, in the background, that the work is given to a version whose workers are there. */
export function startTakingTurns(options: TakingTurnsOptions): { stop(): Promise<void> } {
  const { client, taskQueue, build, logger, onRefused } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let told: Turn | 'away' | null = null;

  async function look(): Promise<void> {
    const work = await findWork(client, taskQueue);
    const deployment = work.current === build ? null : await findDeployment(client, taskQueue);
    const turn = turnOf(build, work, deployment?.known ?? []);
    const about = { buildId: build, current: work.current };
    if (turn === 'new' || turn === 'abandoned') {
      await makeCurrent(client, taskQueue, build, deployment?.token);
      logger.info({ ...about, turn }, 'this version has the work from now on');
    } else if (turn === 'theirs' && told !== turn) {
      logger.warn(
        about,
        'another version has the work, and this one none: npm run worker:current would change that',
      );
    }
    told = turn;
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        await look();
      } catch (error) {
        if (lacksDeployments(error)) {
          if (build !== null) onRefused(refusal());
          return;
        }
        // Away, or somebody else was quicker, or workers of another task are still to come.
        const level = told === 'away' ? 'debug' : 'info';
        logger[level]({ error: describeError(error) }, 'waiting to see which version has the work');
        told = 'away';
      }
      await sleep(pauseAfter(told), undefined, { signal }).catch(() => {});
    }
  }

  const finished = run();
  return {
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}

function pauseAfter(told: Turn | 'away' | null): number {
  if (told === 'unknown') return LOOK_WHEN_NEW_EVERY_MS;
  return told === 'ours' ? LOOK_WITH_WORK_EVERY_MS : LOOK_EVERY_MS;
}

function refusal(): InvalidSettingsError {
  return new InvalidSettingsError([
    'WORKER_BUILD_ID: this Temporal has no worker deployments, which came with 1.28; leave it unset',
  ]);
}
