/** How the Event Scheduling Context follows a user. Implemented in src/temporal. */
import type { EventType } from '../domain/event-type.ts';
import type { TracePoint } from '../domain/trace-point.ts';

/**
 * Tells the one long-running follower of an event of a user what happened; the first
 * message starts it. Every call is safe to repeat: a revision that was seen is dropped.
 * Each rejects with `SchedulerAwayError` or `MessageRefusedError`.
 */
export interface Scheduler {
  /** The user was created, or a fact that decides dates changed. */
  userChanged(eventType: EventType, message: UserRevision): Promise<void>;
  userDeleted(eventType: EventType, message: UserRevision): Promise<void>;
  /** Plans again whatever the revision. */
  replan(eventType: EventType, userId: string): Promise<void>;
}

export interface UserRevision {
  readonly userId: string;
  readonly revision: number;
  /** Of what has led to this message, when traces are on. */
  readonly trace?: TracePoint;
}

/** Thrown when the scheduler can't be reached or takes nothing now: the same message may pass later. */
export class SchedulerAwayError extends Error {
  override readonly name = 'SchedulerAwayError';
}

/** Thrown when this message will never be taken, however often it is repeated. */
export class MessageRefusedError extends Error {
  override readonly name = 'MessageRefusedError';
}
