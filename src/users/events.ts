/**
 * What the User Context tells of users: written with the change itself, and told to each
 * subscriber on its own. Ids, names of fields and instants only, no values: whoever wants to
 * know more reads the user as it is by then.
 */
export type UserEvent = UserCreated | UserUpdated | UserDeleted;

/** There is a new user: always revision 1. */
export interface UserCreated extends OfUser {
  readonly type: 'UserCreated';
}

/** Some of a user's fields have other values than before. */
export interface UserUpdated extends OfUser {
  readonly type: 'UserUpdated';
  /** Names of `USER_FIELDS`. */
  readonly changed: readonly string[];
}

/** The user is gone, and the last of their events is this. The id is not given again. */
export interface UserDeleted extends OfUser {
  readonly type: 'UserDeleted';
}

interface OfUser {
  readonly userId: string;
  /** Of the user after this event: one more with each. */
  readonly revision: number;
  /** Epoch ms, by the clock of the process that made the change. */
  readonly occurredAt: number;
  /** Of the span in which the change was made or is told, when traces are on (W3C Trace Context). */
  readonly traceparent?: string;
}

/** Someone who is told what happens to users, under a name of its own that never changes. */
export interface Subscriber {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string;
  /** Whether an event is worth a call; all are, when not given. */
  wants?(event: UserEvent): boolean;
  /**
   * Takes an event: at least once, of one user one at a time and in order of revision. What
   * was set aside and put back comes late, so an older revision than one seen is no news.
   * Rejects with `SubscriberAwayError` when nothing can be taken now, with `EventRefusedError`
   * when this event never will be, with anything else when it may be another time.
   *
   * @param signal aborted when it has taken too long, which counts as a failure
   */
  handle(event: UserEvent, signal: AbortSignal): Promise<void>;
  /** How many events a second it is to be told of, by one relay; no limit, when not given. */
  readonly maxPerSecond?: number;
}

/** Thrown when a subscriber takes nothing now: the same event may pass later. */
export class SubscriberAwayError extends Error {
  override readonly name = 'SubscriberAwayError';
}

/** Thrown when this event will never be taken, however often it comes. */
export class EventRefusedError extends Error {
  override readonly name = 'EventRefusedError';
}
