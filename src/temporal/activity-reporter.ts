import { ActivityNotFoundError, type Client, NamespaceNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';

import type { ActivityReporter } from '../events/ports.ts';

/** The `type` of the failure that Temporal retries. */
export const DELIVERY_NOT_ACCEPTED = 'DeliveryNotAccepted';

/** A healthy server answers in milliseconds; with none, the call has to end some time. */
const CALL_TIMEOUT_MS = 5_000;

/**
 * Tells Temporal's open activities by their task tokens. One that Temporal does not know
 * (any more) counts as told: its workflow was settled, let go of it, armed again, or was
 * lost with its whole cluster.
 */
export function createActivityReporter(client: Client): ActivityReporter {
  const call = async (respond: () => Promise<void>): Promise<void> => {
    try {
      await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, respond);
    } catch (error) {
      if (!(error instanceof ActivityNotFoundError || isOfAnotherCluster(error))) throw error;
    }
  };

  /** A token names its namespace by an id that no other cluster knows, instead of by ours. */
  const isOfAnotherCluster = (error: unknown): boolean =>
    error instanceof NamespaceNotFoundError && error.namespace !== client.options.namespace;

  return {
    complete: (taskToken, result) => call(() => client.activity.complete(taskToken, result)),

    fail(taskToken, { message, nextRetryDelayMs }) {
      const failure = ApplicationFailure.create({
        message,
        type: DELIVERY_NOT_ACCEPTED,
        nonRetryable: false,
        nextRetryDelay: nextRetryDelayMs,
      });
      return call(() => client.activity.fail(taskToken, failure));
    },
  };
}
