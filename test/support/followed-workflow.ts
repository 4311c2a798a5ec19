/** What can be seen of the workflow that follows a user. */
import { setTimeout as sleep } from 'node:timers/promises';

import { type Client, isGrpcDeadlineError, type WorkflowHandle } from '@temporalio/client';
import type { History } from '@temporalio/common/lib/proto-utils.js';

import { workflowId } from '../../src/domain/occurrence-key.ts';
import { statusQuery, type YearlyEventStatus } from '../../src/workflows/messages.ts';

export type HistoryEvent = NonNullable<History['events']>[number];

export interface FollowedWorkflows {
  /** The user's workflow, whichever run it is in. */
  workflowOf(userId: string): WorkflowHandle;
  /** What the user's workflow says of itself, once it has planned what it was told. */
  statusOf(userId: string): Promise<YearlyEventStatus>;
  /** The histories of all its runs, the first one first. */
  historiesOf(userId: string): Promise<HistoryEvent[][]>;
}

export function followWorkflows(client: Client): FollowedWorkflows {
  const workflowOf = (userId: string) => client.workflow.getHandle(workflowId('birthday', userId));
  return {
    workflowOf,
    async statusOf(userId) {
      for (;;) {
        const status = await workflowOf(userId).query(statusQuery).catch(nullIfLate);
        if (status !== null && status.waitingFor !== 'plan') return status;
        await sleep(20);
      }
    },
    async historiesOf(userId) {
      const workflow = workflowOf(userId);
      const { events: last } = await workflow.fetchHistory();
      let runId = last?.[0]?.workflowExecutionStartedEventAttributes?.firstExecutionRunId;
      const histories: HistoryEvent[][] = [];
      while (runId) {
        const run = client.workflow.getHandle(workflow.workflowId, runId);
        const events = (await run.fetchHistory()).events ?? [];
        histories.push(events);
        runId = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
      }
      return histories;
    },
  };
}

/** A query that a busy machine did not answer in time, or that a worker took along as it ended, is asked again. */
function nullIfLate(error: unknown): null {
  if (isGrpcDeadlineError(error)) return null;
  throw error;
}
