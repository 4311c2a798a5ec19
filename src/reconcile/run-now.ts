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
/** A worker that is there takes it up at once. */
const NO_WORKER_AFTER_MS = 20_000;
/** As the schedule has it. */
const LONGEST_RUN_MS = 55 * 60_000;

/**
 * Runs the reconciler's workflow now, beside its schedule; joins one that an operator started and
 * that still runs. Ends it when no worker takes it up.
 *
 * @param onStarted is given the workflow's id
 * @throws TemporalAwayError
 * @throws CommandError when no worker takes up the workflow, or a step of it
 */
export async function runReconcileWorkflow(
  client: Client,
  taskQueue: string,
  onStarted: (workflowId: string) => void,
  noWorkerAfterMs = NO_WORKER_AFTER_MS,
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

  let waitsSince = Infinity;
  for (;;) {
    const description = await call(() => workflow.describe());
    if (description.status.name !== 'RUNNING') return call(() => workflow.result());
    waitsSince = waitsForWorker(description) ? Math.min(waitsSince, performance.now()) : Infinity;
    if (performance.now() - waitsSince > noWorkerAfterMs) {
      await call(() => workflow.terminate('no worker took it up'));
      const seconds = Math.round(noWorkerAfterMs / 1000);
      const message = `No worker has taken it up for ${seconds} s: none runs, or all are busy.`;
      throw new CommandError(message, EXIT.unavailable);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

const { PendingActivityState, PendingWorkflowTaskState } = protobuf.temporal.api.enums.v1;

/** A task waits to be taken up; an activity that waits for its retry does not count. */
function waitsForWorker({ raw }: WorkflowExecutionDescription): boolean {
  const { pendingWorkflowTask: task, pendingActivities } = raw;
  if (task?.state === PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED) return true;
  return (pendingActivities ?? []).some(
    ({ state, nextAttemptScheduleTime }) =>
      state === PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED && !nextAttemptScheduleTime,
  );
}
