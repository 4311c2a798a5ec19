import {
  type Client,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
} from '@temporalio/client';

export type RunningWorkflows = ReturnType<typeof createRunningWorkflows>;

const CALL_TIMEOUT_MS = 10_000;
/** The server's limit. */
const LIST_PAGE = 1_000;
/** A workflow task that times out or is lost once is normal. */
const STUCK_AFTER_ATTEMPTS = 3;

/** What Temporal knows about the occasion workflows. */
export function createRunningWorkflows(client: Client, taskQueue: string) {
  const { namespace } = client.options;
  const call = <Result>(ask: () => Promise<Result>): Promise<Result> =>
    client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask);

  return {
    /** The id of the namespace, which is different in another store. */
    async storeId(): Promise<string> {
      const { namespaceInfo } = await call(() =>
        client.workflowService.describeNamespace({ namespace }),
      );
      if (!namespaceInfo?.id) throw new Error(`The namespace ${namespace} has no id.`);
      return namespaceInfo.id;
    },

    /** The ids of all running occasion workflows, from visibility, which may lag a moment. */
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

    /** One workflow, as Temporal itself knows it; `words` are for an operator. */
    async describe(workflowId: string): Promise<{ isRunning: boolean; words: string }> {
      try {
        const description = await call(() => client.workflow.getHandle(workflowId).describe());
        const { name } = description.status;
        if (name === 'PAUSED') return { isRunning: true, words: 'an operator has paused it' };
        if (name === 'RUNNING') return { isRunning: true, words: whyItSleeps(description) };
        return { isRunning: false, words: `it has ended: ${name.toLowerCase()}` };
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        return { isRunning: false, words: 'there is no such workflow' };
      }
    },
  };
}

function whyItSleeps({ raw }: WorkflowExecutionDescription): string {
  const paused = raw.pendingActivities?.find((activity) => activity.paused);
  if (paused) return `an operator has paused its activity ${paused.activityType?.name}`;
  const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
  if (attempt >= STUCK_AFTER_ATTEMPTS) return `its workflow task has failed ${attempt - 1} times`;
  if (raw.pendingWorkflowTask) return 'it waits for a worker';
  return 'it runs, and notifying it again has changed nothing';
}
