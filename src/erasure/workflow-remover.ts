import { type Client, isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import pLimit from 'p-limit';

import { occasionOfWorkflowId } from '../ledger/occurrence-key.ts';
import type { OccasionWorkflows } from '../workflows/occasion-client.ts';

/** What Temporal still has of some workflows. */
export interface Removal {
  /** Runs that it was asked to delete. */
  readonly runs: number;
  /** By workflow id; an id that is missing here is gone. */
  readonly left: ReadonlyMap<string, 'running' | 'deleting'>;
}

export type WorkflowRemover = ReturnType<typeof createWorkflowRemover>;

/** Keeps a query short enough for any visibility store. */
const IDS_IN_A_QUERY = 100;
const CALL_TIMEOUT_MS = 10_000;
/** Deleting is not urgent: it must not slow down deliveries. */
const CALLS_AT_ONCE = 4;
/** gRPC's NOT_FOUND. */
const NOT_FOUND = 5;

interface Run {
  readonly workflowId: string;
  readonly runId: string;
  readonly status: { readonly name: string };
}

/** A paused workflow may be resumed. */
const isOpen = ({ status }: Run): boolean => status.name === 'RUNNING' || status.name === 'PAUSED';

/**
 * Deletes workflows from Temporal, with every run of each; never one that is running, which must
 * end first.
 */
export function createWorkflowRemover(client: Client, workflows: Pick<OccasionWorkflows, 'end'>) {
  const limit = pLimit(CALLS_AT_ONCE);
  const call = <Result>(ask: () => Promise<Result>): Promise<Result> =>
    limit(() => client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask));

  /** From visibility: all runs, but the latest may be missing, or still be listed as running. */
  async function findListed(workflowIds: readonly string[]): Promise<Run[]> {
    const runs: Run[] = [];
    for (let at = 0; at < workflowIds.length; at += IDS_IN_A_QUERY) {
      const ids = workflowIds.slice(at, at + IDS_IN_A_QUERY).map((id) => `'${id}'`);
      const query = `WorkflowId IN (${ids.join(', ')})`;
      await call(async () => {
        for await (const run of client.workflow.list({ query })) runs.push(run);
      });
    }
    return runs;
  }

  /** The last run, which Temporal itself knows for certain. */
  async function findLast(id: string): Promise<Run[]> {
    try {
      return [await call(() => client.workflow.getHandle(id).describe())];
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return [];
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

  /** One that was not notified yet, as after a restore, would sleep for up to a year. */
  async function askToEnd(id: string): Promise<void> {
    const occasion = occasionOfWorkflowId(id);
    if (occasion !== null) await limit(() => workflows.end(occasion));
  }

  return {
    /**
     * Deletes all runs of these workflows that have ended, and returns what is left of each. A
     * deleted run counts as `deleting` until a later call finds it gone. A running one is asked to
     * end, which it does when its occasion is gone.
     */
    async remove(workflowIds: readonly string[]): Promise<Removal> {
      const listed = await findListed(workflowIds);
      const last = await Promise.all(workflowIds.map(findLast));
      // Temporal's own answer comes last, and takes precedence.
      const runs = [
        ...new Map([...listed, ...last.flat()].map((run) => [run.runId, run])).values(),
      ];
      const ended = runs.filter((run) => !isOpen(run));
      await Promise.all(ended.map(deleteRun));
      const running = new Set(runs.filter(isOpen).map(({ workflowId }) => workflowId));
      await Promise.all([...running].map(askToEnd));
      const left = runs.map(
        ({ workflowId }) => [workflowId, running.has(workflowId) ? 'running' : 'deleting'] as const,
      );
      return { runs: ended.length, left: new Map(left) };
    },
  };
}
