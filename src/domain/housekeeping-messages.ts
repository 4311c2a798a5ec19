/** What the housekeeping workflow and its activity tell each other: numbers only. */

/** How long what is not kept for good is kept, in ms. */
export interface Retention {
  /** Attempts in the ledger; the occurrence itself and its outcome stay. */
  readonly attemptsMs: number;
  /** What receivers answered. */
  readonly responseExcerptsMs: number;
  /** `Idempotency-Key`s and what they answer. */
  readonly idempotencyKeysMs: number;
  /** Events that were relayed. */
  readonly outboxMs: number;
}

export interface PruneRequest {
  readonly keep: Retention;
}

/** How many rows were removed, and excerpts erased. */
export interface PruneCounts {
  readonly attempts: number;
  readonly responseExcerpts: number;
  readonly idempotencyKeys: number;
  readonly outbox: number;
}

export interface PruneResult {
  readonly removed: PruneCounts;
  /** It stopped for its time was up: there is more. */
  readonly more: boolean;
}
