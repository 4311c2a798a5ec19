/** What is visible of the workflow of an occasion: a birthday, by default. */
import { setTimeout as sleep } from 'node:timers/promises';

import { type Client, type WorkflowHandle } from '@temporalio/client';

import { BIRTHDAY, workflowId } from '../../src/ledger/occurrence-key.ts';
import { type OccasionStatus, statusQuery } from '../../src/workflows/contract.ts';

export interface FollowedWorkflows {
  /** The occasion's workflow, whichever run it is in. */
  workflowOf(occasionId: string, type?: string): WorkflowHandle;
  /** The workflow's own status, once it has had its first task, and is not calling deliver. */
  statusOf(occasionId: string, type?: string): Promise<OccasionStatus>;
}

export function followWorkflows(client: Client): FollowedWorkflows {
  const workflowOf = (id: string, type = BIRTHDAY) =>
    client.workflow.getHandle(workflowId({ type, id }));
  return {
    workflowOf,
    async statusOf(id, type) {
      for (;;) {
        // Before its first task, and while a busy machine does not answer in time, there is none.
        const status = await workflowOf(id, type)
          .query(statusQuery)
          .catch(() => null);
        if (status !== null && status.waitingFor !== 'delivery') return status;
        await sleep(20);
      }
    },
  };
}
