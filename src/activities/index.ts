import { CompleteAsyncError, Context } from '@temporalio/activity';

import type {
  DeliveryRequest,
  DeliveryResult,
  PlanRequest,
  PlanResult,
} from '../domain/plan-messages.ts';
import type { Arming } from '../events/ports.ts';
import { withoutData } from './failure.ts';

export interface ActivityDeps {
  readonly planner: Planner;
  readonly arming: Arming;
  /** Epoch ms. */
  readonly clock: () => number;
}

/** The Event Scheduling Context's side of a plan: faults of data are results, not errors. */
export interface Planner {
  plan(request: PlanRequest): Promise<PlanResult>;
}

export type Activities = ReturnType<typeof createActivities>;

/** What workflows ask for. Both are safe to repeat: the ledger settles every race. */
export function createActivities({ planner, arming, clock }: ActivityDeps) {
  return {
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
      const { taskToken } = Context.current().info;
      const armed = await arming
        .arm({ occurrenceKey, fireAt, taskToken, now: clock() })
        .catch((error: unknown) => {
          throw withoutData(error);
        });
      switch (armed.kind) {
        case 'armed':
          throw new CompleteAsyncError();
        case 'settled':
          return { occurrenceKey, outcome: armed.outcome };
        case 'released':
          return { occurrenceKey, outcome: 'released' };
      }
    },
  };
}
