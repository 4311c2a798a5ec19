/** What can be seen of the workflow of a user's birthday. */
import { setTimeout as sleep } from 'node:timers/promises';

import { type Client, type WorkflowHandle } from '@temporalio/client';

import { BIRTHDAY, workflowId } from '../../src/ledger/occurrence-key.ts';
import { type OccasionStatus, statusQuery } from '../../src/workflows/contract.ts';

export interface FollowedWorkflows {
  /** The user's workflow, whichever run it is in. */
  workflowOf(userId: string): WorkflowHandle;
  /** What the user's workflow says of itself, once it has had its first task, and is not calling deliver. */
  statusOf(userId: string): Promise<OccasionStatus>;
}

export function followWorkflows(client: Client): FollowedWorkflows {
  const workflowOf = (userId: string) =>
    client.workflow.getHandle(workflowId({ type: BIRTHDAY, id: userId }));
  return {
    workflowOf,
    async statusOf(userId) {
      for (;;) {
        // Before its first task, and while a busy machine does not answer in time, there is none.
        const status = await workflowOf(userId)
          .query(statusQuery)
          .catch(() => null);
        if (status !== null && status.waitingFor !== 'delivery') return status;
        await sleep(20);
      }
    },
  };
}
