import { Worker, type WorkerOptions } from '@temporalio/worker';

import type { Activities } from '../activities/index.ts';

/** Without a bundle, it runs only activities; without activities, only workflows. */
export interface WorkerDeps extends Pick<
  WorkerOptions,
  'connection' | 'namespace' | 'dataConverter' | 'workflowBundle' | 'enableNonLocalActivities'
> {
  readonly taskQueue: string;
  /** A test may omit what it does not need. */
  readonly activities?: Partial<Activities>;
  /** Null or absent: the worker takes no part in versioning. */
  readonly buildId?: string | null;
}

/**
 * A worker for all workflows and their activities; the caller runs it and shuts it down. Rejects
 * while Temporal is down or the namespace is missing.
 */
export function createWorker({ buildId = null, ...deps }: WorkerDeps): Promise<Worker> {
  return Worker.create({ ...deps, ...SIZES, ...versioning(deps.taskQueue, buildId) });
}

/**
 * Every workflow moves on to the current version: it outlives many of them, and no workers of an
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

/** Their statements are batched, and most of a request's time is spent at the receiver. */
export const MOST_ACTIVITIES = 64;

/** For a machine with two cores that it shares with the database. */
const SIZES = {
  maxConcurrentWorkflowTaskExecutions: 40,
  maxConcurrentActivityTaskExecutions: MOST_ACTIVITIES,
  // Enough that a local server's tasks never wait; each costs the server a long poll.
  maxConcurrentWorkflowTaskPolls: 10,
  maxConcurrentActivityTaskPolls: 5,
  // Workflow code hardly uses CPU: one thread runs thousands a second.
  workflowThreadPoolSize: 1,
  // 0.2 MB each, for those that wait for deliver: a sleeping workflow wakes once a year, and
  // replaying its at most 50 events takes milliseconds.
  maxCachedWorkflows: 500,
  // After a crash, tasks for the lost cache wait this long before another worker gets them.
  stickyQueueScheduleToStartTimeout: 5_000,
  // Activities have time to end; those that have not ended by then are repeated elsewhere.
  shutdownGraceTime: 5_000,
  shutdownForceTime: 15_000,
} as const;
