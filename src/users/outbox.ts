/** The outgoing side of the User Context: events on their way. Implemented in src/persistence. */
import type { UserEvent } from './ports.ts';

/** Events that were written with the change they tell of, and are relayed at least once. */
export interface Outbox {
  /**
   * Takes waiting events for `leaseMs`, the oldest first; after that another relay may
   * take them. Of one user only the first waiting revision is ever taken.
   */
  claim(limit: number, leaseMs: number): Promise<OutboxEntry[]>;
  /** What became of claimed events, as one statement. */
  settle(results: readonly OutboxResult[]): Promise<void>;
}

export interface OutboxEntry {
  readonly id: string;
  readonly event: UserEvent;
  /** How often this event itself has failed. */
  readonly failures: number;
}

export type OutboxResult = { readonly id: string } & (
  | { readonly kind: 'relayed' }
  /** Not tried, or not its fault: waiting again after the delay. */
  | { readonly kind: 'returned'; readonly delayMs: number }
  /** Failed: waiting again after the delay, and the user's later revisions with it. */
  | { readonly kind: 'postponed'; readonly delayMs: number; readonly error: string }
  /** Will never pass: out of the way, for an operator. Later revisions go on. */
  | { readonly kind: 'set-aside'; readonly error: string }
);
