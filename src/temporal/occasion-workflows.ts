import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
} from '@temporalio/client';

import { workflowId } from '../ledger/occurrence-key.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { changedSignal, type OccasionInput } from '../workflows/contract.ts';
import { classify } from './errors.ts';

/** An occasion, and whose it is: for the words in Temporal's Web UI. */
export interface OwnedOccasion extends OccasionRef {
  readonly userId: string;
}

export type OccasionWorkflows = ReturnType<typeof createOccasionWorkflows>;

/** A healthy server answers in milliseconds; the SDK retries a refused connection inside this time. */
const CALL_TIMEOUT_MS = 5_000;

/**
 * The occasion workflows, from outside. Every call is safe to repeat, and rejects with
 * `TemporalAwayError` or `TemporalRefusedError`.
 */
export function createOccasionWorkflows(client: Client, taskQueue: string) {
  const call = async <Result>(ask: () => Promise<Result>): Promise<Result> => {
    try {
      return await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask);
    } catch (error) {
      throw isExpected(error) ? error : classify(error);
    }
  };
  const optionsFor = ({ type, id, userId }: OwnedOccasion, delayMs: number) => ({
    workflowId: workflowId({ type, id }),
    taskQueue,
    args: [{ type, id }] satisfies [OccasionInput],
    // One that has ended, or was terminated by hand, is started anew.
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    staticSummary: `The ${type} of user ${userId}`,
    // A delay, and no instant: this process's clock has no part in it.
    startDelay: Math.max(0, Math.round(delayMs)),
  });

  return {
    /**
     * Starts the workflow, which sleeps for `delayMs` first.
     *
     * @returns false when there is one already; nothing has changed then
     */
    async start(occasion: OwnedOccasion, delayMs: number): Promise<boolean> {
      try {
        await call(() =>
          client.workflow.start('occasion', {
            ...optionsFor(occasion, delayMs),
            workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
        throw error;
      }
    },

    /**
     * Has the workflow look again, now, even if it sleeps before its first task. One that is not
     * there is started, and sleeps for `delayMs` first.
     */
    async lookAgain(occasion: OwnedOccasion, delayMs = 0): Promise<void> {
      await call(() =>
        client.workflow.signalWithStart('occasion', {
          ...optionsFor(occasion, delayMs),
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
          signal: changedSignal,
          signalArgs: [],
        }),
      );
    },

    /**
     * Has the workflow of an occasion that has ended look again, so that it ends. Starts nothing,
     * and does nothing where there is no workflow that runs.
     */
    async end(occasion: OccasionRef): Promise<void> {
      const workflow = client.workflow.getHandle(workflowId(occasion));
      try {
        // A run takes one cancel request only, and may have had one of an operator.
        await call(() => workflow.signal(changedSignal));
        // This ends a start delay, which a signal does not.
        await call(() => workflow.cancel());
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}

/** There is one already; there is none, or it has ended. */
function isExpected(error: unknown): boolean {
  return (
    error instanceof WorkflowExecutionAlreadyStartedError || error instanceof WorkflowNotFoundError
  );
}
