/** Which version of the workers is given work: docs/adr/0014-worker-versions.md. */
import { type Client, isGrpcServiceError } from '@temporalio/client';

/** A build of the workers, or, as null, those without a build id. */
export type Build = string | null;

export interface WorkOfQueue {
  /** The one that is given work. */
  readonly current: Build;
  /** Whose workers have asked for work within the last minutes (Temporal's: five). */
  readonly alive: ReadonlySet<Build>;
}

export interface Deployment {
  /** The builds that Temporal still knows of. */
  readonly known: readonly KnownBuild[];
  /** Of what was seen: given to `makeCurrent`, that fails if it has changed since. */
  readonly token: Uint8Array;
}

export interface KnownBuild {
  readonly buildId: string;
  /** Whether it is current or was, in whole or for a share of the work. */
  readonly wasCurrent: boolean;
}

/** Thrown when Temporal does not give the work to a build, because of what it has seen of its workers. */
export class BuildRefusedError extends Error {
  override readonly name = 'BuildRefusedError';
  readonly code = 'build-refused';
}

/** A healthy server answers in milliseconds; with none, the call has to end some time. */
const CALL_TIMEOUT_MS = 10_000;

/** Who is given the work of a task queue, and who is there for it. */
export async function findWork(client: Client, taskQueue: string): Promise<WorkOfQueue> {
  const { namespace } = client.options;
  const queue = await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
    client.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: WORKFLOW_TASKS,
    }),
  );
  return {
    current: queue.versioningInfo?.currentDeploymentVersion?.buildId || null,
    alive: new Set(
      queue.pollers?.map(({ deploymentOptions: options }) =>
        options?.workerVersioningMode === VERSIONED ? (options.buildId ?? null) : null,
      ),
    ),
  };
}

/**
 * The deployment of a task queue has its name. Null when there is none, because no worker with
 * a build id has been there yet. A query in Temporal, and so dearer than `findWork`.
 */
export async function findDeployment(
  client: Client,
  taskQueue: string,
): Promise<Deployment | null> {
  const { namespace } = client.options;
  try {
    const { workerDeploymentInfo: info, conflictToken } = await client.withDeadline(
      Date.now() + CALL_TIMEOUT_MS,
      () =>
        client.workflowService.describeWorkerDeployment({ namespace, deploymentName: taskQueue }),
    );
    const summaries = info?.versionSummaries ?? [];
    return {
      known: summaries.flatMap(({ deploymentVersion, firstActivationTime }) => {
        const buildId = deploymentVersion?.buildId;
        return buildId ? [{ buildId, wasCurrent: Boolean(firstActivationTime) }] : [];
      }),
      token: conflictToken ?? new Uint8Array(),
    };
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return null;
    throw error;
  }
}

/**
 * From now on this build is given the work, all that sleeps included.
 *
 * @param token of `findDeployment`: refused when somebody else was quicker
 * @throws BuildRefusedError
 */
export async function makeCurrent(
  client: Client,
  taskQueue: string,
  build: Build,
  token?: Uint8Array,
): Promise<void> {
  const { namespace, identity } = client.options;
  try {
    await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
      client.workflowService.setWorkerDeploymentCurrentVersion({
        namespace,
        identity: identity ?? taskQueue,
        deploymentName: taskQueue,
        buildId: build ?? '',
        ...(token !== undefined && { conflictToken: token }),
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

/** Whether Temporal has no worker deployments at all: it is older than 1.28, or they are switched off. */
export function lacksDeployments(error: unknown): boolean {
  return codeOf(error) === UNIMPLEMENTED;
}

function codeOf(error: unknown): number | null {
  return isGrpcServiceError(error) ? Number(error.code) : null;
}

/** gRPC status codes. */
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;
/** INVALID_ARGUMENT, NOT_FOUND and FAILED_PRECONDITION. */
const REFUSALS: ReadonlySet<number> = new Set([3, NOT_FOUND, 9]);
/** TASK_QUEUE_TYPE_WORKFLOW and WORKER_VERSIONING_MODE_VERSIONED of Temporal's API. */
const WORKFLOW_TASKS = 1;
const VERSIONED = 2;
