/**
 * Everything that crosses the boundary of the maintenance workflows: JSON-safe; ids, kinds and
 * numbers only. Durations in ms.
 */

/** Faults that the ledger can show; docs/reliability.md says how each is handled. */
export type LedgerFindingKind =
  /** An occasion without a plan, or whose plan does not follow from its current inputs. */
  | 'unplanned'
  /** Claimable for over two minutes, nothing holds it up, and no process attempts it. */
  | 'unattempted'
  /** A row in a state that no transition leads to. */
  | 'impossible';

/** Faults that only Temporal can show. */
export type WorkflowFindingKind =
  /** No workflow has checked the occasion for two hours after it should have. */
  | 'unwatched'
  /** The occasion's workflow does not run. */
  | 'lost'
  /** A workflow without an occasion. */
  | 'stray';

export type FindingKind = LedgerFindingKind | WorkflowFindingKind;

export type FindingCounts = Readonly<Partial<Record<FindingKind, number>>>;

/** The result of one step of the reconciler. */
export interface ReconcileStep {
  readonly detected: FindingCounts;
  readonly repaired: FindingCounts;
}

/** The result of the reconciler's workflow. */
export interface ReconcileReport extends ReconcileStep {
  readonly unrepaired: FindingCounts;
  /** The first few that were not repaired. */
  readonly examples: readonly UnrepairedFinding[];
  /** A herd was being sent: nothing was checked. */
  readonly rested: boolean;
  /** Wakes that were forgotten because only the workflows of another Temporal store knew them. */
  readonly forgotten: number;
  /** How many workflows were compared with the occasions; null if that was not due. */
  readonly compared: number | null;
  /** Kinds that could not be checked. */
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
  /** A herd is being sent: nothing else should be checked now. */
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
  /** Its time was over before it was done. */
  readonly more: boolean;
  /** Temporal deletes in the background: completion must still be checked. */
  readonly deleting: boolean;
}

/** How long things are kept. */
export interface Retention {
  /** Attempts in the ledger; the occurrence and its outcome stay. */
  readonly attemptsMs: number;
  /** Excerpts of receivers' responses. */
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
  /** Its time was over before it was done. */
  readonly more: boolean;
}
