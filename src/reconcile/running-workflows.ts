import {
  type Client,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
} from '@temporalio/client';

import { classify } from '../platform/temporal/errors.ts';

export interface WorkflowLook {
  readonly isRunning: boolean;
  /** For an operator; without data of the user. */
  readonly words: string;
}

export type RunningWorkflows = ReturnType<typeof createRunningWorkflows>;

const CALL_TIMEOUT_MS = 10_000;
/** The server's limit. */
const LIST_PAGE = 1_000;
/** A workflow task that times out or is lost once is ordinary. */
const STUCK_AFTER_ATTEMPTS = 3;

/** What Temporal knows of the occasion workflows. Rejects with `TemporalAwayError` while it is away. */
export function createRunningWorkflows(client: Client, taskQueue: string) {
  const { namespace } = client.options;
  const call = async <Result>(ask: () => Promise<Result>): Promise<Result> => {
    try {
      return await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask);
    } catch (error) {
      throw error instanceof WorkflowNotFoundError ? error : classify(error);
    }
  };

  return {
    /** The id of the namespace, which another store does not have. */
    async storeId(): Promise<string> {
      const { namespaceInfo } = await call(() =>
        client.workflowService.describeNamespace({ namespace }),
      );
      if (!namespaceInfo?.id) throw new Error(`The namespace ${namespace} has no id.`);
      return namespaceInfo.id;
    },

    /** The ids of all occasion workflows that run, by visibility, which may be a moment behind. */
    async *listIds(): AsyncGenerator<string[], void, undefined> {
      const query = `WorkflowType = 'occasion' AND ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue}'`;
      let nextPageToken = new Uint8Array();
      do {
        const request = { namespace, query, pageSize: LIST_PAGE, nextPageToken };
        const page = await call(() => client.workflowService.listWorkflowExecutions(request));
        yield page.executions.flatMap(({ execution }) => execution?.workflowId ?? []);
        nextPageToken = new Uint8Array(page.nextPageToken);
      } while (nextPageToken.length > 0);
    },

    /** One workflow, as Temporal itself knows it. */
    async describe(workflowId: string): Promise<WorkflowLook> {
      try {
        return lookOf(await call(() => client.workflow.getHandle(workflowId).describe()));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        return { isRunning: false, words: 'there is no such workflow' };
      }
    },
  };
}

function lookOf({ status, raw }: WorkflowExecutionDescription): WorkflowLook {
  if (status.name === 'PAUSED') return { isRunning: true, words: 'an operator has paused it' };
  const isRunning = status.name === 'RUNNING';
  if (!isRunning) return { isRunning, words: `it has ended: ${status.name.toLowerCase()}` };

  const paused = raw.pendingActivities?.find((activity) => activity.paused);
  const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
  if (paused) {
    return { isRunning, words: `an operator has paused its activity ${paused.activityType?.name}` };
  }
  if (attempt >= STUCK_AFTER_ATTEMPTS) {
    return { isRunning, words: `its workflow task has failed ${attempt - 1} times` };
  }
  if (raw.pendingWorkflowTask) return { isRunning, words: 'it waits for a worker' };
  return { isRunning, words: 'it runs, and looking again has changed nothing' };
}
