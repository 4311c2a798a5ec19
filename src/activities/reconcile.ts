import { cancellationSignal, heartbeat } from '@temporalio/activity';

import type { ConcludeRequest, WorkflowReconciler } from '../reconcile/workflows.ts';
import { failingWithoutData } from './failure.ts';

export interface ReconcileActivityDeps {
  readonly workflowReconciler: WorkflowReconciler;
}

/** The steps of the reconciler's workflow; safe to repeat, also by two at once. */
export function createReconcileActivities({ workflowReconciler }: ReconcileActivityDeps) {
  return failingWithoutData({
    checkStore: () => workflowReconciler.checkStore(beat),
    lookForUnwatched: () => workflowReconciler.lookForUnwatched(),
    compareWorkflows: () => workflowReconciler.compare(beat),
    concludeReconcile: (request: ConcludeRequest) => workflowReconciler.conclude(request),
  });
}

/** Called between pages, so that Temporal notices when the activity's worker is gone. */
function beat(): void {
  cancellationSignal().throwIfAborted();
  heartbeat();
}
