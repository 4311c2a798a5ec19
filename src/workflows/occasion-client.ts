import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
} from '@temporalio/client';

import { workflowId } from '../ledger/occurrence-key.ts';
import type { OccasionRef, OwnedOccasion } from '../ledger/types.ts';
import { changedSignal, type OccasionInput } from './contract.ts';
import { classify } from '../platform/temporal/errors.ts';

export type OccasionWorkflows = ReturnType<typeof createOccasionWorkflows>;

/**
 * A healthy server answers in milliseconds; the SDK retries a refused connection within this time.
 */
const CALL_TIMEOUT_MS = 5_000;

/**
 * Calls the occasion workflows from outside. Every call is safe to repeat, and rejects with
 * `TemporalAwayError` or `TemporalRefusedError`.
 *
 * @param ready awaited by every call, which rejects as it does: the namespace guard's check
 */
export function createOccasionWorkflows(
  client: Client,
  taskQueue: string,
  ready: () => Promise<void> = async () => {},
) {
  const call = async <Result>(ask: () => Promise<Result>): Promise<Result> => {
    await ready();
    try {
      return await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask);
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) throw error;
      throw error instanceof WorkflowNotFoundError ? error : classify(error);
    }
  };
  const optionsFor = ({ type, id, userId }: OwnedOccasion, delayMs: number) => ({
    workflowId: workflowId({ type, id }),
    taskQueue,
    args: [{ type, id }] satisfies [OccasionInput],
    // A workflow that has ended, or that an operator terminated, is started again.
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    staticSummary: `The ${type} of user ${userId}`,
    // A delay, not an instant, so that this process's clock does not matter.
    startDelay: Math.max(0, Math.round(delayMs)),
  });

  return {
    /**
     * Starts the workflow, which first sleeps for `delayMs`.
     *
     * @returns false if it already exists; then nothing changes
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
     * Makes the workflow check again, now, even if its start is delayed. If it does not exist, it
     * is started, and first sleeps for `delayMs`.
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
     * Makes the workflow of an ended occasion check again, so that it ends too. Starts nothing, and
     * does nothing if no workflow runs.
     */
    async end(occasion: OccasionRef): Promise<void> {
      const workflow = client.workflow.getHandle(workflowId(occasion));
      try {
        // A run accepts only one cancel request, and may have had an operator's.
        await call(() => workflow.signal(changedSignal));
        // A cancellation ends a start delay, which a signal does not.
        await call(() => workflow.cancel());
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}
