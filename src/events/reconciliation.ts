/**
 * What the reconciler needs from the outside. The ledger is implemented in src/persistence,
 * the followers in src/temporal. Instants are epoch ms.
 */
import type { EventType } from '../domain/event-type.ts';
import type {
  Bystanders,
  FindingCounts,
  FindingKind,
  LookResult,
  SettleResult,
} from '../domain/reconcile-messages.ts';

/** What the two contexts say that does not fit together, and what is remembered of it. */
export interface ReconcileLedger {
  /**
   * Looks for one kind, set-based and page by page, and keeps what is new as suspected: at
   * most `limit` of them. `onPage` is called between pages.
   */
  look(kind: LedgerKind, request: LookRequest): Promise<LookResult>;
  /** The plans due within two hours that were checked, in order, after a place. */
  findDueSoon(after: DueSoon | null, limit: number): Promise<DueSoon[]>;
  /** Keeps these plans as suspected to have no follower; gives how many are new. */
  suspectUnfollowed(keys: readonly string[]): Promise<number>;
  /** The store that the followers live in; another than before makes all earlier plans `store_lost`. */
  rememberStore(storeId: string): Promise<void>;
  /** Makes findings of the suspicions that are still so, and drops the others; gives the findings. */
  confirm(): Promise<FindingCounts>;
  /** Findings that are to be tried now: each after ever longer pauses, the most urgent first. */
  findToTry(limit: number): Promise<Finding[]>;
  /** With a note, nothing was done but to look. */
  markTried(
    tried: readonly { readonly subject: string; readonly note: string | null }[],
  ): Promise<void>;
  /** Drops the findings that are no longer so. */
  settle(): Promise<SettleResult>;
  /** What is still so after it was tried counts as unrepaired from now on. */
  markUnrepaired(): Promise<Unrepaired>;
  countBystanders(): Promise<Bystanders>;
  markSucceeded(): Promise<void>;
}

/** Of the others, only the engine knows. */
export type LedgerKind = Exclude<FindingKind, 'unfollowed'>;

export interface LookRequest {
  /** Those that follow every user. */
  readonly eventTypes: readonly EventType[];
  readonly limit: number;
  readonly onPage: () => void;
}

export interface DueSoon {
  readonly key: string;
  readonly fireAt: number;
  readonly eventType: EventType;
  readonly userId: string;
}

export interface Finding {
  readonly subject: string;
  readonly kind: FindingKind;
  /** Null for what is nobody's workflow. */
  readonly eventType: EventType | null;
  readonly userId: string | null;
  /** Its row waits for an attempt that the engine is to make. */
  readonly waitsForEngine: boolean;
  readonly note: string | null;
}

export interface Unrepaired {
  readonly counts: FindingCounts;
  /** Those of them that were not unrepaired before. */
  readonly fresh: FindingCounts;
  /** The most urgent. */
  readonly examples: readonly Finding[];
}

/** The state of reconciliation, for whoever watches it. */
export interface ReconcileState {
  /** What is amiss and could not be repaired. */
  unrepaired(): Promise<number>;
  /** When all was looked for last; null when it never was. */
  lastSucceededAt(): Promise<number | null>;
}

/** The engine that the followers run in. Each call rejects while it is away. */
export interface FollowerEngine {
  /** Names the store that the followers live in: another one knows none of them. */
  storeId(): Promise<string>;
  /** Of these workflow ids, those that run. May be a moment behind. */
  findRunning(workflowIds: readonly string[]): Promise<Set<string>>;
  look(workflowId: string): Promise<FollowerLook>;
  /**
   * Ends the deliveries of this workflow that a worker has taken, so that it plans again. Only
   * where no dispatcher has the row in hand, whose reporter would end them.
   */
  releaseDeliveries(workflowId: string): Promise<void>;
}

export interface FollowerLook {
  /** An operator holds it: it is not to be moved on. */
  readonly held: boolean;
  /** How it is, in words that name nobody. */
  readonly words: string;
}

/** Told what a round came to, once that is kept. */
export interface ReconcileObserver {
  concluded(round: {
    readonly detected: FindingCounts;
    readonly repaired: FindingCounts;
    /** Newly so. */
    readonly unrepaired: FindingCounts;
    readonly durationMs: number;
  }): void;
}
