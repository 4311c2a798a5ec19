import { Context } from '@temporalio/activity';

import type { ConcludeRequest, WorkflowReconciler } from '../reconcile/workflows.ts';
import type {
  Comparison,
  ReconcileReport,
  ReconcileStep,
  StoreCheck,
} from '../workflows/maintenance-contract.ts';
import { withoutData } from './failure.ts';

export interface ReconcileActivityDeps {
  readonly workflowReconciler: WorkflowReconciler;
}

/** The steps of the reconciler's workflow. All are safe to repeat, also by two at once. */
export function createReconcileActivities({ workflowReconciler }: ReconcileActivityDeps) {
  return {
    async checkStore(): Promise<StoreCheck> {
      return workflowReconciler.checkStore(heartbeatOf(Context.current())).catch(fail);
    },

    async lookForUnwatched(): Promise<ReconcileStep> {
      return workflowReconciler.lookForUnwatched().catch(fail);
    },

    async compareWorkflows(): Promise<Comparison> {
      return workflowReconciler.compare(heartbeatOf(Context.current())).catch(fail);
    },

    async concludeReconcile(
      request: ConcludeRequest,
    ): Promise<Pick<ReconcileReport, 'unrepaired' | 'examples'>> {
      return workflowReconciler.conclude(request).catch(fail);
    },
  };
}

/** Called between pages: an activity whose worker is gone is noticed by that. */
function heartbeatOf(context: Context): () => void {
  return () => {
    context.cancellationSignal.throwIfAborted();
    context.heartbeat();
  };
}

function fail(error: unknown): never {
  throw withoutData(error);
}
