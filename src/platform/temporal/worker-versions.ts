/** What Temporal knows about the workers of a task queue, and which version gets the work. */
import { type Client, isGrpcServiceError } from '@temporalio/client';

/** A build of the workers; null: workers without a build id. */
export type Build = string | null;

export type QueueState = Awaited<ReturnType<typeof findQueueState>>;

export interface KnownBuild {
  readonly buildId: string;
  /** Whether it gets or got work, all or part of it. */
  readonly wasCurrent: boolean;
}

/**
 * Thrown when Temporal refuses to make a build current, because of what it knows about its workers.
 */
export class BuildRefusedError extends Error {
  override readonly name = 'BuildRefusedError';
  readonly code = 'build-refused';
}

export const WORK_KINDS = ['workflow', 'activity'] as const;
export type WorkKind = (typeof WORK_KINDS)[number];

/** A healthy server answers in milliseconds; without one, the call has to end at some point. */
const CALL_TIMEOUT_MS = 10_000;
/** Shorter than a scrape waits for a reading. */
const COUNT_TIMEOUT_MS = 2_500;
/** A poll lasts a minute if there is nothing to do; Temporal reports it when it begins. */
const RECENT_MS = 120_000;

/** Enumerations of Temporal's API: TaskQueueType, WorkerVersioningMode. */
const TASK_QUEUE_TYPES: Readonly<Record<WorkKind, number>> = { workflow: 1, activity: 2 };
const VERSIONED = 2;
/** gRPC status codes; refusals are INVALID_ARGUMENT, NOT_FOUND and FAILED_PRECONDITION. */
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;
const REFUSALS: ReadonlySet<number> = new Set([3, NOT_FOUND, 9]);

/**
 * How many workers have polled for such work in the last two minutes. Rejects while Temporal is
 * down.
 */
export async function countPollers(
  client: Client,
  taskQueue: string,
  kind: WorkKind,
): Promise<number> {
  const { pollers } = await describeQueue(client, taskQueue, kind, COUNT_TIMEOUT_MS);
  const since = Date.now() - RECENT_MS;
  return pollers.filter(
    ({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1_000 > since,
  ).length;
}

/**
 * Which version gets the work of a task queue, and which versions are alive: their workers have
 * polled within the last minutes (Temporal says five).
 */
export async function findQueueState(client: Client, taskQueue: string) {
  const queue = await describeQueue(client, taskQueue, 'workflow', CALL_TIMEOUT_MS);
  const current: Build = queue.versioningInfo?.currentDeploymentVersion?.buildId || null;
  return {
    current,
    alive: new Set<Build>(
      queue.pollers.map(({ deploymentOptions: options }) =>
        options?.workerVersioningMode === VERSIONED ? (options.buildId ?? null) : null,
      ),
    ),
  };
}

function describeQueue(client: Client, taskQueue: string, kind: WorkKind, timeoutMs: number) {
  return client.withDeadline(Date.now() + timeoutMs, () =>
    client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: TASK_QUEUE_TYPES[kind],
    }),
  );
}

/**
 * The deployment of a task queue, which has its name: the builds that Temporal still knows, and a
 * token for `makeCurrent`. Null if it does not exist, because no worker with a build id has polled
 * yet. A query in Temporal, so more expensive than `findQueueState`.
 */
export async function findDeployment(client: Client, taskQueue: string) {
  const { namespace } = client.options;
  const about = { namespace, deploymentName: taskQueue };
  try {
    const { workerDeploymentInfo, conflictToken: token } = await client.withDeadline(
      Date.now() + CALL_TIMEOUT_MS,
      () => client.workflowService.describeWorkerDeployment(about),
    );
    const known = (workerDeploymentInfo?.versionSummaries ?? []).flatMap(
      ({ deploymentVersion, firstActivationTime }): KnownBuild[] => {
        const buildId = deploymentVersion?.buildId;
        return buildId ? [{ buildId, wasCurrent: Boolean(firstActivationTime) }] : [];
      },
    );
    return { known, token };
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return null;
    throw error;
  }
}

/**
 * Gives all work to this build from now on, sleeping workflows included.
 *
 * @param token from `findDeployment`: the call fails if the deployment has changed since
 * @throws BuildRefusedError
 */
export async function makeCurrent(
  client: Client,
  taskQueue: string,
  build: Build,
  token: Uint8Array | null = null,
): Promise<void> {
  const { namespace, identity } = client.options;
  try {
    await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
      client.workflowService.setWorkerDeploymentCurrentVersion({
        namespace,
        identity: identity ?? taskQueue,
        deploymentName: taskQueue,
        buildId: build ?? '',
        conflictToken: token,
      }),
    );
  } catch (error) {
    if (!isGrpcServiceError(error) || !REFUSALS.has(Number(error.code))) throw error;
    throw new BuildRefusedError(
      `Temporal does not give the work to ${build ?? 'workers without a build id'}: ${error.details}`,
      { cause: error },
    );
  }
}

/** Whether Temporal has no worker deployments: it is older than 1.28, or they are switched off. */
export function lacksDeployments(error: unknown): boolean {
  return codeOf(error) === UNIMPLEMENTED;
}

function codeOf(error: unknown): number | null {
  return isGrpcServiceError(error) ? Number(error.code) : null;
}
