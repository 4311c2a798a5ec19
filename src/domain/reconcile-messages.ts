/** What the reconciler's workflow and its activities tell each other: ids, keys and counts only. */

/** What can be amiss; docs/reliability.md says what each is, and what is done about it. */
export type FindingKind =
  /** Past its instant, or past its next attempt, and nobody will attempt it. */
  | 'unattempted'
  /** A redelivery that nobody attempts. */
  | 'stalled_redelivery'
  /** Due within a day, and not planned again as it should have been by now. */
  | 'unchecked'
  /** Due within two hours, and its workflow does not run. */
  | 'unfollowed'
  /** A user without a plan. */
  | 'unplanned'
  /** A plan whose user is gone. */
  | 'orphaned'
  /** An outcome that Temporal has not been told for an hour. */
  | 'unreported'
  /** Planned by a workflow of a Temporal store that is gone. */
  | 'store_lost'
  /** An event that could not be relayed. */
  | 'set_aside';

export type FindingCounts = Readonly<Partial<Record<FindingKind, number>>>;

/** What became of a look for one kind. */
export interface LookResult {
  /** Newly suspected. */
  readonly suspected: number;
  /** It stopped at its limit: there is more. */
  readonly more: boolean;
}

export interface RepairResult {
  /** That were told to plan again, or looked into. */
  readonly tried: number;
}

export interface SettleResult {
  /** That were found earlier and are no longer so. */
  readonly repaired: FindingCounts;
  /** What was tried of late and is still so: it may only be a matter of time. */
  readonly awaited: number;
}

/** What became of a round, as its workflow counts it. */
export interface ReconcileCounts {
  readonly detected: FindingCounts;
  readonly repaired: FindingCounts;
  readonly tried: number;
  /** When it began, epoch ms. */
  readonly startedAt: number;
}

export interface ConcludeRequest extends ReconcileCounts {
  /** Kinds that could not be looked for. */
  readonly notLookedFor: readonly FindingKind[];
}

export interface UnrepairedFinding {
  readonly subject: string;
  readonly kind: FindingKind;
  /** Of the workflow that should have seen to it; null when there is none to ask. */
  readonly workflowId: string | null;
  /** In words. */
  readonly why: string;
}

/** What there is besides, and is nobody's fault here. */
export interface Bystanders {
  /** Rows that cannot be planned. */
  readonly blocked: number;
  /** Armed rows that have been due for two minutes: paused, paced, or without a dispatcher. */
  readonly waiting: number;
  /** Activities that are open for an hour after their row let go of them. */
  readonly staleTokens: number;
}

export interface ReconcileReport extends ReconcileCounts {
  readonly unrepaired: FindingCounts;
  /** Of those, the first few. */
  readonly examples: readonly UnrepairedFinding[];
  readonly bystanders: Bystanders;
  readonly notLookedFor: readonly FindingKind[];
  readonly durationMs: number;
}

export interface ReconcileRequest {
  /** Of earlier rounds, carried over when it continues as new. */
  readonly earlier?: ReconcileCounts;
  /** Others than usual: shorter ones are for where nothing takes its time. */
  readonly waits?: ReconcileWaits;
}

export interface ReconcileWaits {
  /** Before what was found is looked at again. */
  readonly secondLookMs: number;
  /** Nothing has been repaired for so long: nothing more will be. */
  readonly patienceMs: number;
}
