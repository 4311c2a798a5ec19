import { type Client, WorkflowIdConflictPolicy } from '@temporalio/client';

import type { ReconcileReport } from '../domain/reconcile-messages.ts';
import { classify } from './scheduler.ts';

export interface ReconcileNow {
  readonly workflowId: string;
  /** Whether a worker has taken it up. */
  isTakenUp(): Promise<boolean>;
  /** Resolves when it has looked for all, repaired, and seen what came of that. */
  report(): Promise<ReconcileReport>;
}

const CALL_TIMEOUT_MS = 10_000;
/** Started, and a task for a worker. */
const EVENTS_WITHOUT_WORKER = 2;

/**
 * Runs the reconciler at once, besides its schedule; joins one that was started by hand and
 * still runs. Rejects with `SchedulerAwayError` while Temporal is away.
 */
export async function reconcileNow(client: Client, taskQueue: string): Promise<ReconcileNow> {
  const call = <Result>(ask: () => Promise<Result>): Promise<Result> =>
    client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask).catch((error: unknown) => {
      throw classify(error);
    });
  const workflow = await call(() =>
    client.workflow.start<() => Promise<ReconcileReport>>('reconcile', {
      workflowId: `${taskQueue}/reconcile-now`,
      taskQueue,
      args: [],
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      staticSummary: 'Looks for what was missed, because somebody asked',
    }),
  );
  return {
    workflowId: workflow.workflowId,
    isTakenUp: () =>
      call(async () => (await workflow.describe()).historyLength > EVENTS_WITHOUT_WORKER),
    report: () => workflow.result(),
  };
}
