/** How a workflow calls its activities: which way, how long, how often. Durations in ms. */
import {
  ActivityCancellationType,
  CancellationScope,
  log,
  proxyActivities,
  proxyLocalActivities,
  sleep,
} from '@temporalio/workflow';

import type { Activities } from '../activities/index.ts';
import type { DeliveryRequest, DeliveryResult, PlanRequest, PlanResult } from './messages.ts';

/**
 * A plan made now. At first a local activity, which costs one event of history; with
 * the database away an ordinary one, which shows in the Web UI and retries for ever.
 */
export async function planNow(request: Omit<PlanRequest, 'now'>): Promise<PlanResult> {
  for (;;) {
    try {
      return await planLocally({ ...request, now: Date.now() });
    } catch (error) {
      throwIfCancelled(error);
    }
    const now = Date.now();
    try {
      const plan = await planPatiently({ ...request, now });
      // It may have been retried for days: what was to come at its `now` can be past.
      if (Date.now() - now < STALE_MS) return plan;
    } catch (error) {
      throwIfCancelled(error);
      log.warn('planning failed for good, which only an operator can cause: planning again', {
        error,
      });
      await sleep(STALE_MS);
    }
  }
}

/**
 * Arms the delivery and gives its outcome, hours or days later. Cancelling the scope
 * lets go of it at once: nobody listens to cancellations, and a late completion is harmless.
 */
export function deliver(request: DeliveryRequest): Promise<DeliveryResult> {
  const untilDue = Math.max(0, request.fireAt - Date.now());
  return proxyActivities<Activities>({
    // A far backstop for each arming: what is still open then is armed again.
    startToCloseTimeout: untilDue + 6 * HOUR,
    // First retries are made from the ledger; this is their slow continuation, ended by it too.
    retry: { initialInterval: 10_000, backoffCoefficient: 2, maximumInterval: HOUR },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary: `${request.occurrenceKey}, due ${new Date(request.fireAt).toISOString()}`,
  }).deliver(request);
}

const HOUR = 3_600_000;
/** How old a plan may be when it arrives. */
const STALE_MS = 60_000;

const { plan: planLocally } = proxyLocalActivities<Activities>({
  // Under a workflow task's 10 s in all, so that a slow database costs no extra history.
  startToCloseTimeout: 3_000,
  scheduleToCloseTimeout: 7_000,
  retry: { maximumAttempts: 3, initialInterval: 200, backoffCoefficient: 2 },
});

const { plan: planPatiently } = proxyActivities<Activities>({
  startToCloseTimeout: 30_000,
  retry: { initialInterval: 1_000, backoffCoefficient: 2, maximumInterval: 60_000 },
  summary: 'Plan, as soon as the database answers',
});

/** Only the workflow's own cancellation ends it; an activity's is a failure like any other. */
function throwIfCancelled(error: unknown): void {
  if (CancellationScope.current().consideredCancelled) throw error;
}
