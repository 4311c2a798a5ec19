import { setTimeout as sleep } from 'node:timers/promises';

import {
  type Client,
  WorkflowIdConflictPolicy,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import protobuf from '@temporalio/proto';

import { CommandError, EXIT } from '../cli/command.ts';
import { classify } from '../platform/temporal/errors.ts';
import { countPollers, type WorkKind } from '../platform/temporal/worker-versions.ts';
import type { ReconcileReport } from '../workflows/maintenance-contract.ts';

type Reconcile = () => Promise<ReconcileReport>;

const CALL_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 1_000;
const LIMITS = {
  /** A worker that is not busy takes it up at once. */
  noWorkerMs: 20_000,
  /** After a restore, when every workflow is woken, it waits behind thousands of them. */
  busyMs: 600_000,
  /** A step ends, or sends a heartbeat, within two minutes. */
  stillMs: 180_000,
};
/** The same as in the schedule. */
const LONGEST_RUN_MS = 55 * 60_000;

/**
 * Runs the reconciler's workflow now, besides its schedule; joins a run that an operator started
 * and that still runs. Ends it if no worker takes it up, or it makes no more progress.
 *
 * @param onStarted called with the workflow's id
 * @throws TemporalAwayError
 * @throws CommandError if no worker takes up the workflow, or a step of it
 */
export async function runReconcileWorkflow(
  client: Client,
  taskQueue: string,
  onStarted: (workflowId: string) => void,
  limits = LIMITS,
): Promise<ReconcileReport> {
  const call = <Result>(ask: () => Promise<Result>): Promise<Result> =>
    client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask).catch((error: unknown) => {
      throw classify(error);
    });
  /** Null while it may still succeed. */
  const whyHopeless = async (waiting: Waiting, stillMs: number): Promise<string | null> => {
    if (waiting === null) {
      if (stillMs <= limits.stillMs) return null;
      return `It has stood still for ${secondsOf(limits.stillMs)} s: its worker hangs, or has ended.`;
    }
    if (stillMs <= limits.noWorkerMs) return null;
    const notTakenUp = `No worker has taken it up for ${secondsOf(limits.noWorkerMs)} s:`;
    if (waiting === 'paused') return `${notTakenUp} a step is paused.`;
    if ((await call(() => countPollers(client, taskQueue, waiting))) === 0) {
      return `${notTakenUp} none runs at the task queue ${taskQueue}. Start one (npm run worker).`;
    }
    if (stillMs <= limits.busyMs) return null;
    return `The workers at the task queue ${taskQueue} have not taken it up for ${secondsOf(limits.busyMs)} s: they are busy, or of another version.`;
  };
  const workflow = await call(() =>
    client.workflow.start<Reconcile>('reconcile', {
      workflowId: `${taskQueue}/reconcile-now`,
      taskQueue,
      args: [],
      workflowExecutionTimeout: LONGEST_RUN_MS,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      staticSummary: 'Looks for what was missed, as an operator requested',
    }),
  );
  onStarted(workflow.workflowId);

  let seen = '';
  let stillSince = 0;
  for (;;) {
    const description = await call(() => workflow.describe());
    if (description.status.name !== 'RUNNING') return call(() => workflow.result());
    const { pendingWorkflowTask: task, pendingActivities } = description.raw;
    const now = JSON.stringify([description.historyLength, task, pendingActivities]);
    if (now !== seen) [seen, stillSince] = [now, performance.now()];
    const why = await whyHopeless(waitsFor(description), performance.now() - stillSince);
    if (why !== null) {
      await call(() => workflow.terminate(why));
      const message = `${why} It was ended: try again.`;
      throw new CommandError(message, EXIT.unavailable);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

const secondsOf = (limitMs: number): number => Math.round(limitMs / 1000);

const { PendingActivityState, PendingWorkflowTaskState } = protobuf.temporal.api.enums.v1;

/** The kind of task that waits to be taken up, or `paused` if a step is. */
type Waiting = WorkKind | 'paused' | null;

/** An activity that waits for its retry does not count. */
function waitsFor({ raw }: WorkflowExecutionDescription): Waiting {
  const { pendingWorkflowTask: task, pendingActivities } = raw;
  const { PENDING_WORKFLOW_TASK_STATE_SCHEDULED } = PendingWorkflowTaskState;
  if (task?.state === PENDING_WORKFLOW_TASK_STATE_SCHEDULED) return 'workflow';
  const { PENDING_ACTIVITY_STATE_PAUSED, PENDING_ACTIVITY_STATE_SCHEDULED } = PendingActivityState;
  for (const { state, nextAttemptScheduleTime } of pendingActivities ?? []) {
    if (state === PENDING_ACTIVITY_STATE_PAUSED) return 'paused';
    if (state === PENDING_ACTIVITY_STATE_SCHEDULED && !nextAttemptScheduleTime) return 'activity';
  }
  return null;
}
