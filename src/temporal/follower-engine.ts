import {
  ActivityNotFoundError,
  type Client,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
} from '@temporalio/client';
import protobuf from '@temporalio/proto';

import type { DeliveryResult } from '../domain/plan-messages.ts';
import type { FollowerEngine, FollowerLook } from '../events/reconciliation.ts';

/** A query of the visibility store stays short, whatever database that is. */
const IDS_IN_A_QUERY = 100;
const CALL_TIMEOUT_MS = 10_000;
/** A workflow task that times out or is lost once is ordinary. */
const STUCK_AFTER_ATTEMPTS = 3;

/** What Temporal knows of users' workflows. */
export function createFollowerEngine(client: Client): FollowerEngine {
  const call = <Result>(ask: () => Promise<Result>): Promise<Result> =>
    client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask);

  return {
    storeId: () =>
      call(async () => {
        const { namespace } = client.options;
        const { namespaceInfo } = await client.workflowService.describeNamespace({ namespace });
        if (!namespaceInfo?.id) throw new Error(`the namespace ${namespace} has no id`);
        return namespaceInfo.id;
      }),

    async findRunning(workflowIds) {
      const running = new Set<string>();
      for (let at = 0; at < workflowIds.length; at += IDS_IN_A_QUERY) {
        const ids = workflowIds.slice(at, at + IDS_IN_A_QUERY).map((id) => `'${id}'`);
        const query = `ExecutionStatus = 'Running' AND WorkflowId IN (${ids.join(', ')})`;
        await call(async () => {
          for await (const { workflowId } of client.workflow.list({ query })) {
            running.add(workflowId);
          }
        });
      }
      return running;
    },

    async look(workflowId) {
      try {
        return lookOf(await call(() => client.workflow.getHandle(workflowId).describe()));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        return { held: false, words: 'there is no such workflow' };
      }
    },

    async releaseDeliveries(workflowId) {
      try {
        const { raw, runId } = await call(() => client.workflow.getHandle(workflowId).describe());
        for (const activity of (raw.pendingActivities ?? []).filter(isTakenDelivery)) {
          const id = { workflowId, runId, activityId: activity.activityId ?? '' };
          await call(() => client.activity.complete(id, RELEASED));
        }
      } catch (error) {
        // It has ended, or has gone on, meanwhile.
        if (!(error instanceof WorkflowNotFoundError || error instanceof ActivityNotFoundError)) {
          throw error;
        }
      }
    },
  };
}

type PendingActivity = NonNullable<
  WorkflowExecutionDescription['raw']['pendingActivities']
>[number];

/** By a worker, and not held by an operator. */
function isTakenDelivery({ activityType, state, paused }: PendingActivity): boolean {
  const isTaken = state === PendingActivityState.PENDING_ACTIVITY_STATE_STARTED;
  return activityType?.name === 'deliver' && isTaken && !paused;
}

const { PendingActivityState } = protobuf.temporal.api.enums.v1;
const RELEASED: Pick<DeliveryResult, 'outcome'> = { outcome: 'released' };

function lookOf({ status, raw }: WorkflowExecutionDescription): FollowerLook {
  if (status.name === 'PAUSED') return { held: true, words: 'an operator has paused it' };
  if (status.name !== 'RUNNING') {
    return { held: false, words: `it has ended: ${status.name.toLowerCase()}` };
  }
  const paused = raw.pendingActivities?.find((activity) => activity.paused);
  if (paused) {
    return {
      held: true,
      words: `an operator has paused its activity ${paused.activityType?.name}`,
    };
  }
  const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
  if (attempt >= STUCK_AFTER_ATTEMPTS) {
    return { held: false, words: `its workflow task has failed ${attempt - 1} times` };
  }
  if (raw.pendingWorkflowTask) return { held: false, words: 'it waits for a worker' };
  return { held: false, words: 'it runs, and the message has changed nothing' };
}
