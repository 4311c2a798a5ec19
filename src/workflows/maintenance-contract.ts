/**
 * Everything that crosses the border of the maintenance workflows: JSON-safe; ids, kinds and
 * numbers only. Durations in ms.
 */

/** What the ledger can show to be wrong; docs/reliability.md says what is done about each. */
export type LedgerFindingKind =
  /** An occasion without a plan, or whose plan does not follow from its inputs of now. */
  | 'unplanned'
  /** Claimable for over two minutes, nothing holds it up, and no process attempts it. */
  | 'unattempted'
  /** A row in a state that no transition leads to. */
  | 'impossible';

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

/** What came of one step of the reconciler. */
export interface ReconcileStep {
  readonly detected: FindingCounts;
  readonly repaired: FindingCounts;
}

/** The result of the reconciler's workflow. */
export interface ReconcileReport extends ReconcileStep {
  readonly unrepaired: FindingCounts;
  /** The first few that were not repaired. */
  readonly examples: readonly UnrepairedFinding[];
  /** Many were being sent: nothing was looked for. */
  readonly rested: boolean;
  /** Wakes that were forgotten because only the workflows of another Temporal store knew them. */
  readonly forgotten: number;
  /** How many workflows were compared with the occasions; null when that was not due. */
  readonly compared: number | null;
  /** Kinds that could not be looked for. */
  readonly notLookedFor: readonly FindingKind[];
}

export interface UnrepairedFinding {
  readonly kind: FindingKind;
  /** A workflow's id, or an occurrence's key. */
  readonly subject: string;
  /** In words. */
  readonly why: string;
}

export interface StoreCheck {
  /** Many are being sent: nothing else is to be looked for now. */
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
  /** Users erased from the database. */
  readonly fromDatabase: number;
  /** Users erased from Temporal as well. */
  readonly fromTemporal: number;
  /** Workflow runs that Temporal was asked to delete. */
  readonly runs: number;
}

export interface ErasureResult {
  readonly erased: ErasureCounts;
  /** Its time was up before it was done. */
  readonly more: boolean;
  /** Temporal deletes in its own time: whether it has is still to be checked. */
  readonly deleting: boolean;
}

/** How long things are kept. */
export interface Retention {
  /** Attempts in the ledger; the occurrence and its outcome stay. */
  readonly attemptsMs: number;
  /** What receivers answered. */
  readonly responseExcerptsMs: number;
  readonly idempotencyKeysMs: number;
  /** Processed outbox events. */
  readonly outboxMs: number;
  /** Settled occurrences, whose days' audits stay, and the operator log. */
  readonly occurrencesMs: number;
}

export interface PruneRequest {
  readonly keep: Retention;
}

/** Removed rows, and erased excerpts. */
export type PruneCounts = Readonly<
  Record<
    'attempts' | 'responseExcerpts' | 'idempotencyKeys' | 'outbox' | 'occurrences' | 'operatorLog',
    number
  >
>;

export interface PruneResult {
  readonly removed: PruneCounts;
  /** Its time was up before it was done. */
  readonly more: boolean;
}
