import {
  isGrpcServiceError,
  NamespaceNotFoundError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  type Client,
  type SignalDefinition,
} from '@temporalio/client';

import type { EventType } from '../domain/event-type.ts';
import { workflowId } from '../domain/occurrence-key.ts';
import { MessageRefusedError, SchedulerAwayError, type Scheduler } from '../events/scheduling.ts';
import {
  replanSignal,
  userChangedSignal,
  userDeletedSignal,
  type YearlyEventInput,
} from '../workflows/messages.ts';

/**
 * The scheduler on Temporal: a signal to the workflow `<event type>/<user id>`, which
 * is started if it isn't running.
 */
export function createScheduler(client: Client, taskQueue: string): Scheduler {
  const tell = async <Args extends unknown[]>(
    eventType: EventType,
    userId: string,
    signal: SignalDefinition<Args>,
    signalArgs: Args,
  ): Promise<void> => {
    try {
      await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
        client.workflow.signalWithStart(eventType, {
          workflowId: workflowId(eventType, userId),
          taskQueue,
          args: [{ userId } satisfies YearlyEventInput],
          signal: signal as SignalDefinition<unknown[]>,
          signalArgs,
          // A workflow that has ended (deleted, terminated by hand) is started anew by a later message.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
          staticSummary: `The ${eventType} of user ${userId}, every year`,
        }),
      );
    } catch (error) {
      throw classify(error);
    }
  };

  return {
    userChanged: (eventType, message) =>
      tell(eventType, message.userId, userChangedSignal, [message]),
    userDeleted: (eventType, message) =>
      tell(eventType, message.userId, userDeletedSignal, [message]),
    replan: (eventType, userId) => tell(eventType, userId, replanSignal, []),
  };
}

/** A healthy server answers in milliseconds; the SDK retries a refused connection inside this time. */
const CALL_TIMEOUT_MS = 5_000;

/** A failed call as `SchedulerAwayError` or `MessageRefusedError`, if it is one of these. */
export function classify(error: unknown): unknown {
  if (error instanceof NamespaceNotFoundError) {
    return new SchedulerAwayError(error.message, { cause: error });
  }
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (!isGrpcServiceError(cause)) return error;
  const message = `Temporal answered ${cause.code}: ${cause.details}`;
  if (REFUSED.has(cause.code)) return new MessageRefusedError(message, { cause: error });
  if (AWAY.has(cause.code)) return new SchedulerAwayError(message, { cause: error });
  return error;
}

/** gRPC status codes: INVALID_ARGUMENT and OUT_OF_RANGE judge the message, not the moment. */
const REFUSED: ReadonlySet<number> = new Set([3, 11]);

/**
 * CANCELLED, DEADLINE_EXCEEDED, NOT_FOUND (the namespace), PERMISSION_DENIED, RESOURCE_EXHAUSTED,
 * UNAVAILABLE, UNAUTHENTICATED: nothing would pass now, whichever message is tried.
 */
const AWAY: ReadonlySet<number> = new Set([1, 4, 5, 7, 8, 14, 16]);
