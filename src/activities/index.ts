import { CompleteAsyncError, Context } from '@temporalio/activity';

import type {
  DeliveryRequest,
  DeliveryResult,
  PlanRequest,
  PlanResult,
} from '../domain/plan-messages.ts';
import type { Arming } from '../events/ports.ts';
import { createErasureActivities, type ErasureActivityDeps } from './erasure.ts';
import { withoutData } from './failure.ts';
import { createHousekeepingActivities, type HousekeepingActivityDeps } from './housekeeping.ts';
import { createReconcileActivities, type ReconcileActivityDeps } from './reconcile.ts';
import { createRedeliveryActivities, type RedeliveryActivityDeps } from './redelivery.ts';

export interface ActivityDeps
  extends
    RedeliveryActivityDeps,
    HousekeepingActivityDeps,
    ErasureActivityDeps,
    ReconcileActivityDeps {
  readonly planner: Planner;
  readonly arming: Arming;
  readonly armingObserver?: ArmingObserver;
}

/** Told of each occurrence that was armed for its first attempt. */
export interface ArmingObserver {
  /** @param leadMs how long before its instant; negative for after it */
  armed(leadMs: number): void;
}

/** The Event Scheduling Context's side of a plan: faults of data are results, not errors. */
export interface Planner {
  plan(request: PlanRequest): Promise<PlanResult>;
}

export type Activities = ReturnType<typeof createActivities>;

/** What workflows ask for. All are safe to repeat: the ledger settles every race. */
export function createActivities(deps: ActivityDeps) {
  const { planner, arming, armingObserver, clock } = deps;
  return {
    ...createRedeliveryActivities(deps),
    ...createHousekeepingActivities(deps),
    ...createErasureActivities(deps),
    ...createReconcileActivities(deps),

    async plan(request: PlanRequest): Promise<PlanResult> {
      try {
        return await planner.plan(request);
      } catch (error) {
        throw withoutData(error);
      }
    },

    /**
     * Arms the occurrence and stays open in Temporal, with nothing kept in memory: the
     * reporter completes it from the ledger, by the token that is stored there.
     */
    async deliver({ occurrenceKey, fireAt }: DeliveryRequest): Promise<DeliveryResult> {
      const { taskToken, attempt } = Context.current().info;
      const now = clock();
      const armed = await arming
        .arm({ occurrenceKey, fireAt, taskToken, now })
        .catch((error: unknown) => {
          throw withoutData(error);
        });
      switch (armed.kind) {
        case 'armed':
          if (attempt === 1) armingObserver?.armed(fireAt - now);
          throw new CompleteAsyncError();
        case 'settled':
          return { occurrenceKey, outcome: armed.outcome };
        case 'released':
          return { occurrenceKey, outcome: 'released' };
      }
    },
  };
}
