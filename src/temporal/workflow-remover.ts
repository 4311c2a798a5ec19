import { type Client, isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import pLimit from 'p-limit';

import type { Removal, UserWorkflows, WorkflowRemover } from '../events/erasure.ts';
import { replanSignal } from '../workflows/messages.ts';

/** A query of the visibility store stays short, whatever database that is. */
const IDS_IN_A_QUERY = 100;
const CALL_TIMEOUT_MS = 10_000;
/** Deleting is in no hurry: it must not be felt by those who are due. */
const CALLS_AT_ONCE = 4;
/** gRPC's NOT_FOUND. */
const NOT_FOUND = 5;

interface Run {
  readonly workflowId: string;
  readonly runId: string;
  readonly isRunning: boolean;
}

/** Deletes workflows from Temporal, every run of each; never one that runs, which ends first. */
export function createWorkflowRemover(client: Client): WorkflowRemover {
  const limit = pLimit(CALLS_AT_ONCE);
  const call = <Result>(ask: () => Promise<Result>): Promise<Result> =>
    limit(() => client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask));

  /** By the lists: all runs, but those of the last moments may be missing, or not be over yet. */
  async function findListed(workflowIds: readonly string[]): Promise<Run[]> {
    const runs: Run[] = [];
    for (let at = 0; at < workflowIds.length; at += IDS_IN_A_QUERY) {
      const ids = workflowIds.slice(at, at + IDS_IN_A_QUERY).map((id) => `'${id}'`);
      const query = `WorkflowId IN (${ids.join(', ')})`;
      await call(async () => {
        for await (const { workflowId, runId, status } of client.workflow.list({ query })) {
          runs.push({ workflowId, runId, isRunning: isOpen(status.name) });
        }
      });
    }
    return runs;
  }

  /** The last run, of which Temporal itself knows for certain. */
  async function findLast(id: string): Promise<Run | null> {
    try {
      const { workflowId, runId, status } = await call(() =>
        client.workflow.getHandle(id).describe(),
      );
      return { workflowId, runId, isRunning: isOpen(status.name) };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  }

  async function deleteRun({ workflowId, runId }: Run): Promise<void> {
    const { namespace } = client.options;
    const workflowExecution = { workflowId, runId };
    try {
      await call(() =>
        client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution }),
      );
    } catch (error) {
      if (!isGrpcServiceError(error) || error.code !== NOT_FOUND) throw error;
    }
  }

  /** One that never heard of the deletion, as after a restore, would sleep for up to a year. */
  async function wake(id: string): Promise<void> {
    try {
      await call(() => client.workflow.getHandle(id).signal(replanSignal));
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  return {
    async remove({ followers, redeliveries, refused }: UserWorkflows): Promise<Removal> {
      const certain = [...followers, ...redeliveries];
      const listed = await findListed([...certain, ...refused]);
      const last = await Promise.all(certain.map(findLast));
      const runs = new Map<string, Run>();
      for (const run of [...listed, ...last]) {
        // What Temporal itself says comes after, and counts.
        if (run !== null) runs.set(run.runId, run);
      }
      const ended = [...runs.values()].filter(({ isRunning }) => !isRunning);
      await Promise.all(ended.map(deleteRun));
      const left = new Map<string, 'running' | 'deleting'>();
      for (const { workflowId, isRunning } of runs.values()) {
        if (isRunning) left.set(workflowId, 'running');
        else if (!left.has(workflowId)) left.set(workflowId, 'deleting');
      }
      await Promise.all(followers.filter((id) => left.get(id) === 'running').map(wake));
      return { runs: ended.length, left };
    },
  };
}

/** One that is paused goes on some day. */
function isOpen(status: string): boolean {
  return status === 'RUNNING' || status === 'PAUSED';
}
