/** Histories of workflows, as the types of their events. */
import type { Client, WorkflowHandle } from '@temporalio/client';

/** Such as `WORKFLOW_EXECUTION_STARTED`, the first one first. */
export async function eventsOf(workflow: WorkflowHandle): Promise<string[]> {
  const { events } = await workflow.fetchHistory();
  return (events ?? []).map((event) => typeOf(event));
}

/** Of all its runs, linked by continue-as-new, the first one first. */
export async function runsOf(client: Client, workflow: WorkflowHandle): Promise<string[][]> {
  const { events: last } = await workflow.fetchHistory();
  let runId = last?.[0]?.workflowExecutionStartedEventAttributes?.firstExecutionRunId;
  const runs: string[][] = [];
  while (runId) {
    const run = client.workflow.getHandle(workflow.workflowId, runId);
    const { events = [] } = await run.fetchHistory();
    runs.push((events ?? []).map((event) => typeOf(event)));
    runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return runs;
}

/** By its attributes: the type itself is a number. */
function typeOf(event: object): string {
  const [name = ''] =
    Object.entries(event).find(
      ([key, value]) => key.endsWith('EventAttributes') && value !== null,
    ) ?? [];
  return name
    .replace('EventAttributes', '')
    .replaceAll(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase();
}
