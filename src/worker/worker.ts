import { Worker, type WorkerOptions } from '@temporalio/worker';

import type { Activities } from '../activities/index.ts';

/** Without a bundle it is a worker of activities alone, without activities one of workflows. */
export interface WorkerDeps extends Pick<
  WorkerOptions,
  'connection' | 'namespace' | 'dataConverter' | 'workflowBundle' | 'enableNonLocalActivities'
> {
  readonly taskQueue: string;
  /** A test may leave out what it does not need. */
  readonly activities?: Partial<Activities>;
  /** Null or not given: the worker takes no part in versioning. */
  readonly buildId?: string | null;
}

/**
 * A worker for all workflows and their activities; the caller runs it and shuts it down.
 * Rejects while Temporal or the namespace is away.
 */
export function createWorker({ buildId = null, ...deps }: WorkerDeps): Promise<Worker> {
  return Worker.create({ ...deps, ...SIZES, ...versioning(deps.taskQueue, buildId) });
}

/**
 * Every workflow continues on the current version: it outlives many of them, and no workers of an
 * old one have to be kept (docs/adr/0014-worker-versions.md).
 */
function versioning(deploymentName: string, buildId: string | null): Partial<WorkerOptions> {
  if (buildId === null) return {};
  return {
    workerDeploymentOptions: {
      version: { deploymentName, buildId },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'AUTO_UPGRADE',
    },
  };
}

/** Their statements are batched, and most of a request's time is the receiver's. */
export const MOST_ACTIVITIES = 64;

/** For a machine of two cores that it shares with the database. */
const SIZES = {
  maxConcurrentWorkflowTaskExecutions: 40,
  maxConcurrentActivityTaskExecutions: MOST_ACTIVITIES,
  // Enough that a local server's tasks are never waited for; each costs the server a long poll.
  maxConcurrentWorkflowTaskPolls: 10,
  maxConcurrentActivityTaskPolls: 5,
  // Workflow code hardly computes: one thread runs thousands a second.
  workflowThreadPoolSize: 1,
  // 0.2 MB each, for those that wait for deliver: a sleeping workflow wakes once a year, and is
  // replayed from at most 50 events in milliseconds.
  maxCachedWorkflows: 500,
  // After a crash, tasks for the lost cache wait this long before another worker gets them.
  stickyQueueScheduleToStartTimeout: 5_000,
  // Activities have time to end; what has not ended by then is done again elsewhere.
  shutdownGraceTime: 5_000,
  shutdownForceTime: 15_000,
} as const;
