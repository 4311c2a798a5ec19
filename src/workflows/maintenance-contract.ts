/**
 * Everything that crosses the border of the maintenance workflows: JSON-safe, ids, kinds and
 * numbers only. Durations in ms.
 */

/** What the ledger can show to be amiss; docs/reliability.md says what is done about each. */
export type LedgerFindingKind =
  /** An occasion without an open row, or whose row waits for a plan that nobody makes. */
  | 'unplanned'
  /** Planned from older inputs than its user has now. */
  | 'outdated'
  /** Something open whose user or occasion is gone. */
  | 'orphaned'
  /** Claimable for over two minutes, nothing holds it up, and nobody attempts it. */
  | 'unattempted'
  /** A row in a state that no transition leads to. */
  | 'impossible'
  /** An outbox event that failed too often. */
  | 'parked';

/** What only Temporal can show. */
export type WorkflowFindingKind =
  /** No workflow has looked at the occasion for two hours after it should have. */
  | 'unwatched'
  /** The occasion's workflow does not run. */
  | 'lost'
  /** A workflow without an occasion. */
  | 'stray';

export type FindingKind = LedgerFindingKind | WorkflowFindingKind;

export type FindingCounts = Readonly<Partial<Record<FindingKind, number>>>;

/** What the reconciler's workflow found; its result. */
export interface ReconcileReport {
  readonly detected: FindingCounts;
  readonly repaired: FindingCounts;
  readonly unrepaired: FindingCounts;
  /** Of what is not repaired, the first few. */
  readonly examples: readonly UnrepairedFinding[];
  /** A herd was going out: nothing was looked for. */
  readonly rested: boolean;
  /** Wakes that were forgotten because the workflows of another Temporal store heard of them. */
  readonly forgotten: number;
  /** How many workflows were compared with the occasions; null when that was not due. */
  readonly compared: number | null;
  /** Kinds that could not be looked for. */
  readonly notLookedFor: readonly FindingKind[];
}

export interface UnrepairedFinding {
  readonly kind: FindingKind;
  /** A workflow's id, an occurrence's key, or `outbox:<id>`. */
  readonly subject: string;
  /** In words. */
  readonly why: string;
}

/** What came of one step of the reconciler. */
export interface ReconcileStep {
  readonly detected: FindingCounts;
  readonly repaired: FindingCounts;
}

export interface StoreCheck {
  /** A herd goes out: nothing else is to be looked for now. */
  readonly rests: boolean;
  readonly forgotten: number;
}

export interface Comparison extends ReconcileStep {
  readonly compared: number | null;
}

export interface ErasureRequest {
  /** How long after their deletion users are erased. */
  readonly eraseAfterMs: number;
}

export interface ErasureCounts {
  /** Users of whom nothing is left in the database. */
  readonly fromDatabase: number;
  /** Users of whom nothing is left in Temporal either. */
  readonly fromTemporal: number;
  /** Runs of workflows that Temporal was asked to delete. */
  readonly runs: number;
}

export interface ErasureResult {
  readonly erased: ErasureCounts;
  /** It stopped because its time was up: there is more. */
  readonly more: boolean;
  /** Temporal deletes in its own time: whether it has is still to be seen. */
  readonly deleting: boolean;
}

/** How long what is not kept for good is kept. */
export interface Retention {
  /** Attempts in the ledger; the occurrence itself and its outcome stay. */
  readonly attemptsMs: number;
  /** What receivers answered. */
  readonly responseExcerptsMs: number;
  /** `Idempotency-Key`s and what they answer. */
  readonly idempotencyKeysMs: number;
  /** Outbox events that are done. */
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
  /** It stopped because its time was up: there is more. */
  readonly more: boolean;
}
