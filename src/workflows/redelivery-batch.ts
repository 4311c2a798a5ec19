import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  continueAsNew,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  sleep,
  startChild,
  uuid4,
} from '@temporalio/workflow';

import type { Activities } from '../activities/index.ts';
import { redeliveryWorkflowId } from '../domain/occurrence-key.ts';
import type { RedeliveryBatchRequest, RedeliveryBatchResult } from './messages.ts';
import { redelivery } from './redelivery.ts';

/**
 * Starts a redelivery for each FAILED or SKIPPED occurrence of a filter, a page in a run.
 * They outlive it: to cancel it keeps those that have not begun from beginning.
 */
export async function redeliveryBatch({
  filter,
  progress = { after: null, started: 0 },
}: RedeliveryBatchRequest): Promise<RedeliveryBatchResult> {
  const page = await findPage({ filter, after: progress.after, limit: PAGE });
  // A start that is cancelled half-way would never be heard of again; the sleep below hears it.
  const starts = await CancellationScope.nonCancellable(() =>
    Promise.all(page.map(({ key }) => start(key))),
  );
  const started = progress.started + starts.filter((isStarted) => isStarted).length;
  const last = page.at(-1);
  if (last === undefined || page.length < PAGE) return { started };
  setCurrentDetails(`Has started ${started} redeliveries; the last was that of ${last.key}.`);
  await sleep(PAGE_MS);
  return continueAsNew<typeof redeliveryBatch>({ filter, progress: { after: last, started } });
}

/** False when it is being redelivered already. */
async function start(occurrenceKey: string): Promise<boolean> {
  try {
    await startChild(redelivery, {
      workflowId: redeliveryWorkflowId(occurrenceKey),
      args: [{ occurrenceKey, redeliveryId: uuid4(), force: false }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `${occurrenceKey} is sent again`,
    });
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}

/**
 * 25 a second: half of what a Temporal server on two cores takes, so that those who are due
 * today are armed in time all the while. 100,000 take a little over an hour.
 */
const PAGE = 100;
const PAGE_MS = 4_000;

const { findRedeliveryPage: findPage } = proxyActivities<Activities>({
  startToCloseTimeout: 30_000,
  retry: { initialInterval: 1_000, backoffCoefficient: 2, maximumInterval: 60_000 },
  summary: 'Find the next page',
});
