/** The outgoing side of the User Context: events on their way. Implemented in src/persistence. */
import type { UserEvent } from './events.ts';

/**
 * Events that were written with the change they tell of, an entry for each subscriber: each
 * has its own progress, and none waits for another.
 */
export interface Outbox {
  /** From now on, events are kept for this subscriber too. Safe to repeat. */
  subscribe(subscriber: string): Promise<void>;
  /**
   * Takes what waits for a subscriber for `leaseMs`, the oldest first; after that another
   * relay may take it. Of one user only the first waiting revision is ever taken.
   */
  claim(subscriber: string, limit: number, leaseMs: number): Promise<OutboxEntry[]>;
  /** What became of claimed events, as one statement; what another has taken since is left to it. */
  settle(results: readonly OutboxResult[]): Promise<void>;
}

/** A claim: the entry, and the lease that tells it from an earlier or later one. */
export interface OutboxClaim {
  readonly id: string;
  readonly lease: string;
}

export interface OutboxEntry extends OutboxClaim {
  readonly event: UserEvent;
  /** How often this event itself has failed. */
  readonly failures: number;
}

export type OutboxResult = OutboxClaim &
  (
    | { readonly kind: 'relayed' }
    /** Not tried, or not its fault: waiting again after the delay. */
    | { readonly kind: 'returned'; readonly delayMs: number }
    /** Failed: waiting again after the delay, and the user's later revisions with it. */
    | { readonly kind: 'postponed'; readonly delayMs: number; readonly error: string }
    /** Will never pass: out of the way, for an operator. Later revisions go on. */
    | { readonly kind: 'set-aside'; readonly error: string }
  );

/** What waits in it at this moment, for whoever watches it. */
export interface OutboxState {
  backlog(): Promise<OutboxBacklog>;
}

export interface OutboxBacklog {
  /** Entries that wait; those that are set aside do not. */
  readonly length: number;
  /** Since the oldest of them happened, in ms; 0 when none waits. */
  readonly oldestAgeMs: number;
  readonly setAside: number;
}

/** What an operator can do about events that were set aside, and about subscribers. */
export interface OutboxDesk {
  subscribers(): Promise<SubscriberProgress[]>;
  /** The oldest first. */
  setAside(limit: number): Promise<SetAsideEntry[]>;
  /** Lets entries that are set aside wait again, all or by id, as if they had never failed. Gives how many. */
  putBack(ids: readonly string[] | 'all'): Promise<number>;
  /** Keeps nothing for this subscriber any more, and drops what waits. Gives how many that was; null for an unknown name. */
  unsubscribe(subscriber: string): Promise<number | null>;
}

export interface SubscriberProgress extends OutboxBacklog {
  readonly name: string;
}

export interface SetAsideEntry {
  readonly id: string;
  readonly subscriber: string;
  readonly type: string;
  readonly userId: string;
  readonly revision: number;
  /** Epoch ms. */
  readonly setAsideAt: number;
  readonly failures: number;
  readonly error: string | null;
}

/** The subscriber that has users' events planned: the one that Daybell is never without. */
export const SCHEDULING = 'scheduling';
