import {
  type Client,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
} from '@temporalio/client';

import { classify } from '../platform/temporal/errors.ts';

/** How a workflow is. */
export interface WorkflowLook {
  readonly isRunning: boolean;
  /** In words, without data of the user. */
  readonly words: string;
}

export type RunningWorkflows = ReturnType<typeof createRunningWorkflows>;

const CALL_TIMEOUT_MS = 10_000;
/** The most that a list gives at once. */
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
      let nextPageToken: Uint8Array | undefined = new Uint8Array();
      while (nextPageToken !== undefined) {
        const token: Uint8Array = nextPageToken;
        const request = { namespace, query, pageSize: LIST_PAGE, nextPageToken: token };
        const page = await call(() => client.workflowService.listWorkflowExecutions(request));
        yield page.executions.flatMap(({ execution }) => execution?.workflowId ?? []);
        nextPageToken = page.nextPageToken?.length > 0 ? page.nextPageToken : undefined;
      }
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
  if (status.name !== 'RUNNING') {
    return { isRunning: false, words: `it has ended: ${status.name.toLowerCase()}` };
  }
  const paused = raw.pendingActivities?.find((activity) => activity.paused);
  if (paused) {
    const name = paused.activityType?.name;
    return { isRunning: true, words: `an operator has paused its activity ${name}` };
  }
  const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
  if (attempt >= STUCK_AFTER_ATTEMPTS) {
    return { isRunning: true, words: `its workflow task has failed ${attempt - 1} times` };
  }
  if (raw.pendingWorkflowTask) return { isRunning: true, words: 'it waits for a worker' };
  return { isRunning: true, words: 'it runs, and looking again has changed nothing' };
}
