import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  type Client,
  type Workflow,
  type WorkflowStartOptions,
} from '@temporalio/client';

import { redeliveryBatchWorkflowId, redeliveryWorkflowId } from '../domain/occurrence-key.ts';
import { type Redeliveries, RedeliveryRunningError } from '../events/redelivery.ts';
import type { RedeliveryBatchRequest, RedeliveryRequest } from '../workflows/messages.ts';
import { classify } from './scheduler.ts';

type RedeliveryWorkflow = (request: RedeliveryRequest) => Promise<unknown>;
type RedeliveryBatchWorkflow = (request: RedeliveryBatchRequest) => Promise<unknown>;

/** Somebody waits for the answer; a healthy server gives it in milliseconds. */
const CALL_TIMEOUT_MS = 3_000;

/** Redeliveries on Temporal. The workflow's id lets one run at a time for an occurrence. */
export function createRedeliveries(client: Client, taskQueue: string): Redeliveries {
  const start = async <Started extends Workflow>(
    type: string,
    options: Omit<WorkflowStartOptions<Started>, 'taskQueue'>,
  ): Promise<string> => {
    const { workflowId } = options;
    try {
      await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
        client.workflow.start<Started>(type, {
          ...options,
          taskQueue,
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
        } as WorkflowStartOptions<Started>),
      );
      return workflowId;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) {
        throw new RedeliveryRunningError(`It is being redelivered: workflow ${workflowId}.`);
      }
      throw classify(error);
    }
  };

  return {
    start: (request) =>
      start<RedeliveryWorkflow>('redelivery', {
        workflowId: redeliveryWorkflowId(request.occurrenceKey),
        args: [request],
        staticSummary: `${request.occurrenceKey} is sent again${request.force ? ', by force' : ''}`,
      }),

    startBatch: (batchId, filter, matching) =>
      start<RedeliveryBatchWorkflow>('redeliveryBatch', {
        workflowId: redeliveryBatchWorkflowId(batchId),
        args: [{ filter }],
        memo: { matching },
        staticSummary: `${matching} occurrences are sent again`,
      }),
  };
}
