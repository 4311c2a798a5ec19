import { CancellationScope, proxyActivities, setCurrentDetails } from '@temporalio/workflow';

import type { Activities } from '../activities/index.ts';
import type { DeliveryResult, RedeliveryRequest, RedeliveryResult } from './messages.ts';

/**
 * Sends one occurrence again, with a give-up clock of its own. Its id is `redelivery/<key>`:
 * there is one at a time for an occurrence.
 */
export async function redelivery(request: RedeliveryRequest): Promise<RedeliveryResult> {
  const { occurrenceKey } = request;
  setCurrentDetails(`Begins to send ${occurrenceKey} again.`);
  const beginning = await begin(request);
  if (beginning.kind === 'refused') {
    setCurrentDetails(`${occurrenceKey} is not sent again: ${beginning.reason}.`);
    return { occurrenceKey, outcome: 'refused', reason: beginning.reason };
  }
  setCurrentDetails(`Awaits the outcome of ${occurrenceKey}, which is due now.`);
  const result = await outcomeOf(request);
  setCurrentDetails(`${occurrenceKey} ended ${result.outcome}.`);
  return result;
}

/**
 * The row is sent whether anybody waits or not. At first an outcome is waited for shortly, since
 * most come in seconds: so a task that was lost on its way to a worker costs a minute.
 */
async function outcomeOf(request: RedeliveryRequest): Promise<DeliveryResult> {
  try {
    return await outcomeSoon(request);
  } catch (error) {
    if (CancellationScope.current().consideredCancelled) throw error;
    return outcomeLater(request);
  }
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const { beginRedelivery: begin } = proxyActivities<Activities>({
  startToCloseTimeout: 30_000,
  retry: { initialInterval: 1_000, backoffCoefficient: 2, maximumInterval: MINUTE },
  summary: 'Make it due',
});

const { awaitRedelivery: outcomeSoon } = proxyActivities<Activities>({
  startToCloseTimeout: MINUTE,
  retry: { maximumAttempts: 1 },
  summary: 'Await what comes of it',
});

const { awaitRedelivery: outcomeLater } = proxyActivities<Activities>({
  // Held up by a pause or a pace: what is still open then is asked again.
  startToCloseTimeout: HOUR,
  // First retries are made from the ledger; this is their slow continuation, ended by it too.
  retry: { initialInterval: 10_000, backoffCoefficient: 2, maximumInterval: HOUR },
  summary: 'Await what comes of it, with retries',
});
