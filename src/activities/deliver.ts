import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import { NotYetSettledError } from '../delivery/not-yet-settled.ts';
import type { Deliver } from '../delivery/deliver.ts';
import type { DeliverAnswer, Occasion } from '../workflows/contract.ts';
import { withoutData } from './failure.ts';

export interface DeliverActivityDeps {
  readonly deliver: Deliver;
}

/** Left of an attempt for its answer to reach Temporal. */
const ANSWER_WITHIN_MS = 5_000;

/** What the occasion workflow asks for; safe to repeat, also by two at once. */
export function createDeliverActivity({ deliver }: DeliverActivityDeps) {
  return {
    /**
     * Settles what is due of the occasion, and answers when to ask again. While the dispatchers
     * are going to send it, or it waits for its next attempt, it fails in a way that is retried.
     */
    async deliver(occasion: Occasion): Promise<DeliverAnswer> {
      const info = activityInfo();
      const deadline = performance.now() + info.startToCloseTimeoutMs - ANSWER_WITHIN_MS;
      try {
        const calledAt = info.currentAttemptScheduledTimestampMs;
        return await deliver(occasion, { deadline, calledAt });
      } catch (error) {
        if (!(error instanceof NotYetSettledError)) throw withoutData(error);
        const { message, retryInMs } = error;
        throw ApplicationFailure.create({
          message,
          type: 'NotYetSettled',
          category: 'BENIGN',
          nextRetryDelay: retryInMs,
        });
      }
    },
  };
}
