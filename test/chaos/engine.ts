/** What Temporal says of every user's workflow. */
import { Client, Connection } from '@temporalio/client';
import protobuf from '@temporalio/proto';
import pLimit from 'p-limit';

export interface WorkflowCheck {
  /** How many runs there are, by type and status. */
  readonly runs: Readonly<Record<string, number>>;
  /** Each a line. */
  readonly faults: readonly string[];
}

const LET_GO =
  protobuf.temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED;
const SOUND = new Set(['RUNNING', 'COMPLETED', 'CONTINUED_AS_NEW']);
const BIRTHDAY = 'birthday/';

/** @param userIds of those who exist: each has one workflow that sleeps, and nobody else has */
export async function checkWorkflows(
  address: string,
  userIds: readonly string[],
): Promise<WorkflowCheck> {
  const connection = await Connection.connect({ address });
  try {
    const { workflow } = new Client({ connection });
    const runs: Record<string, number> = {};
    const faults: string[] = [];
    const running = new Set<string>();
    for await (const { type, status, workflowId } of workflow.list()) {
      const kind = `${type} ${status.name}`;
      runs[kind] = (runs[kind] ?? 0) + 1;
      if (!SOUND.has(status.name)) faults.push(`${workflowId} is ${status.name}`);
      if (status.name === 'RUNNING' && workflowId.startsWith(BIRTHDAY)) {
        running.add(workflowId.slice(BIRTHDAY.length));
      }
    }
    for (const id of userIds) if (!running.has(id)) faults.push(`no workflow of user ${id}`);
    const known = new Set(userIds);
    for (const id of running) if (!known.has(id)) faults.push(`a workflow of nobody: ${id}`);

    await pLimit(20).map([...running], async (id) => {
      const { raw } = await workflow.getHandle(`${BIRTHDAY}${id}`).describe();
      // One that its workflow has let go of, and that a killed worker took, ends by its time limit.
      const open = (raw.pendingActivities ?? []).filter(({ state }) => state !== LET_GO);
      if (open.length > 0) faults.push(`the workflow of ${id} has ${open.length} open activities`);
      const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
      if (Number(attempt) > 0)
        faults.push(`the workflow of ${id} has a workflow task, attempt ${attempt}`);
    });
    return { runs, faults };
  } finally {
    await connection.close();
  }
}
