import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import type { Deliver } from '../delivery/deliver/deliver.ts';
import { NotYetSettledError } from '../delivery/deliver/not-yet-settled.ts';
import type { DeliverAnswer, Occasion } from '../workflows/contract.ts';
import { failingWithoutData } from './failure.ts';

/** Time kept free at the end of an attempt, so that its result can still reach Temporal. */
const ANSWER_WITHIN_MS = 5_000;

/** The activity of the occasion workflow; safe to repeat, also by two at once. */
export function createDeliverActivity({ deliver }: { readonly deliver: Deliver }) {
  return failingWithoutData({
    /**
     * Processes what is due for the occasion, and returns when to call again. While the dispatchers
     * are going to send it, or it waits for its next attempt, throws a failure that Temporal
     * retries.
     */
    async deliver(occasion: Occasion): Promise<DeliverAnswer> {
      const { startToCloseTimeoutMs, currentAttemptScheduledTimestampMs } = activityInfo();
      const deadline = performance.now() + startToCloseTimeoutMs - ANSWER_WITHIN_MS;
      try {
        return await deliver(occasion, { deadline, calledAt: currentAttemptScheduledTimestampMs });
      } catch (error) {
        if (!(error instanceof NotYetSettledError)) throw error;
        throw ApplicationFailure.create({
          message: error.message,
          type: 'NotYetSettled',
          category: 'BENIGN',
          nextRetryDelay: error.retryInMs,
        });
      }
    },
  });
}
