import { setTimeout as sleep } from 'node:timers/promises';

import {
  type Client,
  WorkflowIdConflictPolicy,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import protobuf from '@temporalio/proto';

import { CommandError, EXIT } from '../cli/command.ts';
import { classify } from '../platform/temporal/errors.ts';
import type { ReconcileReport } from '../workflows/maintenance-contract.ts';

type Reconcile = () => Promise<ReconcileReport>;

const CALL_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 1_000;
const LIMITS = {
  /** A worker takes it up at once. */
  noWorkerMs: 20_000,
  /** A step ends, or says that it goes on, within two minutes. */
  stillMs: 180_000,
};
/** As the schedule has it. */
const LONGEST_RUN_MS = 55 * 60_000;

/**
 * Runs the reconciler's workflow now, beside its schedule; joins one that an operator started and
 * that still runs. Ends it when no worker takes it up, or nothing of it moves any more.
 *
 * @param onStarted is given the workflow's id
 * @throws TemporalAwayError
 * @throws CommandError when no worker takes up the workflow, or a step of it
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
  const workflow = await call(() =>
    client.workflow.start<Reconcile>('reconcile', {
      workflowId: `${taskQueue}/reconcile-now`,
      taskQueue,
      args: [],
      workflowExecutionTimeout: LONGEST_RUN_MS,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      staticSummary: 'Looks for what was missed, because an operator asked',
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
    const waits = waitsForWorker(description);
    const limitMs = waits ? limits.noWorkerMs : limits.stillMs;
    if (performance.now() - stillSince > limitMs) {
      const seconds = Math.round(limitMs / 1000);
      const why = waits
        ? `No worker has taken it up for ${seconds} s: none runs at the task queue ${taskQueue}, all are busy, or a step is paused.`
        : `It has stood still for ${seconds} s: its worker hangs, or has ended.`;
      await call(() => workflow.terminate(why));
      const message = `${why} It was ended. Start a worker (npm run worker), and try again.`;
      throw new CommandError(message, EXIT.unavailable);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

const { PendingActivityState, PendingWorkflowTaskState } = protobuf.temporal.api.enums.v1;

/** A task waits to be taken up, or is paused; an activity that waits for its retry does not count. */
function waitsForWorker({ raw }: WorkflowExecutionDescription): boolean {
  const { pendingWorkflowTask: task, pendingActivities } = raw;
  if (task?.state === PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED) return true;
  return (pendingActivities ?? []).some(
    ({ state, nextAttemptScheduleTime }) =>
      state === PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED ||
      (state === PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED && !nextAttemptScheduleTime),
  );
}
