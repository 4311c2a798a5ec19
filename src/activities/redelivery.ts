import { CompleteAsyncError, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import type { DeliveryResult } from '../domain/plan-messages.ts';
import type {
  RedeliveryBeginning,
  RedeliveryPage,
  RedeliveryPageRequest,
  RedeliveryRequest,
} from '../domain/redelivery-messages.ts';
import { beginRedelivery } from '../events/begin-redelivery.ts';
import type { RedeliveryLedger } from '../events/redelivery.ts';
import { withoutData } from './failure.ts';

export interface RedeliveryActivityDeps {
  readonly redeliveryLedger: RedeliveryLedger;
  /** Epoch ms. */
  readonly clock: () => number;
}

/** What a redelivery's workflows ask for. All are safe to repeat. */
export function createRedeliveryActivities({ redeliveryLedger, clock }: RedeliveryActivityDeps) {
  return {
    /** Makes the row due. Retried until what came of it before has been told. */
    async beginRedelivery(
      request: RedeliveryRequest,
    ): Promise<Exclude<RedeliveryBeginning, { kind: 'not_yet' }>> {
      const beginning = await beginRedelivery(redeliveryLedger, request, clock()).catch(asFailure);
      if (beginning.kind !== 'not_yet') return beginning;
      throw ApplicationFailure.retryable('its last outcome has not been reported yet', 'NotYet');
    },

    /** Stays open until the row is settled, as `deliver` does; the reporter completes it. */
    async awaitRedelivery({
      occurrenceKey,
      redeliveryId,
    }: RedeliveryRequest): Promise<DeliveryResult> {
      const { taskToken } = Context.current().info;
      const awaited = await redeliveryLedger
        .awaitOutcome({ occurrenceKey, redeliveryId, taskToken, now: clock() })
        .catch(asFailure);
      if (awaited.kind === 'armed') throw new CompleteAsyncError();
      const outcome = awaited.kind === 'settled' ? awaited.outcome : awaited.kind;
      return { occurrenceKey, outcome };
    },

    async findRedeliveryPage(request: RedeliveryPageRequest): Promise<RedeliveryPage> {
      return redeliveryLedger.findPage(request).catch(asFailure);
    },
  };
}

function asFailure(error: unknown): never {
  throw withoutData(error);
}
