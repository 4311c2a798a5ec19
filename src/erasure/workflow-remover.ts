import { type Client, isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import pLimit from 'p-limit';

import { occasionOfWorkflowId } from '../ledger/occurrence-key.ts';
import type { OccasionWorkflows } from '../workflows/occasion-client.ts';

/** What Temporal has of some workflows. */
export interface Removal {
  /** Runs that it was asked to delete. */
  readonly runs: number;
  /** By workflow id; what is not here is gone. */
  readonly left: ReadonlyMap<string, 'running' | 'deleting'>;
}

export type WorkflowRemover = ReturnType<typeof createWorkflowRemover>;

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
export function createWorkflowRemover(client: Client, workflows: Pick<OccasionWorkflows, 'end'>) {
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

  /** One that nobody has asked yet, as after a restore, would sleep for up to a year. */
  async function askToEnd(id: string): Promise<void> {
    const occasion = occasionOfWorkflowId(id);
    if (occasion !== null) await limit(() => workflows.end(occasion));
  }

  return {
    /**
     * Deletes all runs that have ended of these workflows, and says what is left of each. What was
     * deleted is `deleting` until, by a later call, it is gone. One that runs is asked to end,
     * which it does when its occasion is gone.
     */
    async remove(workflowIds: readonly string[]): Promise<Removal> {
      const listed = await findListed(workflowIds);
      const last = await Promise.all(workflowIds.map(findLast));
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
      await Promise.all(workflowIds.filter((id) => left.get(id) === 'running').map(askToEnd));
      return { runs: ended.length, left };
    },
  };
}

/** One that is paused goes on some day. */
function isOpen(status: string): boolean {
  return status === 'RUNNING' || status === 'PAUSED';
}
