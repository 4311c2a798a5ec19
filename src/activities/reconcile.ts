import { Context } from '@temporalio/activity';

import type {
  ConcludeRequest,
  FindingCounts,
  FindingKind,
  LookResult,
  ReconcileReport,
  RepairResult,
  SettleResult,
} from '../domain/reconcile-messages.ts';
import type { Reconciler } from '../events/reconcile.ts';
import { withoutData } from './failure.ts';

export interface ReconcileActivityDeps {
  readonly reconciler: Reconciler;
}

/** What the reconciler's workflow asks for. All are safe to repeat, also by two at once. */
export function createReconcileActivities({ reconciler }: ReconcileActivityDeps) {
  return {
    async lookForMissed({ kind }: { readonly kind: FindingKind }): Promise<LookResult> {
      const context = Context.current();
      return reconciler.look(kind, () => context.heartbeat()).catch(asFailure);
    },

    /** What was suspected and is still so is found. */
    async confirmMissed(): Promise<FindingCounts> {
      return reconciler.confirm().catch(asFailure);
    },

    /** A page of what was found. */
    async repairMissed(): Promise<RepairResult> {
      return reconciler.repair(Context.current().cancellationSignal).catch(asFailure);
    },

    async settleMissed(): Promise<SettleResult> {
      return reconciler.settle().catch(asFailure);
    },

    async concludeReconcile(request: ConcludeRequest): Promise<ReconcileReport> {
      return reconciler.conclude(request).catch(asFailure);
    },
  };
}

function asFailure(error: unknown): never {
  throw withoutData(error);
}
