/**
 * What the Event Scheduling Context needs from the outside. Implemented in
 * src/persistence (users, ledger) and src/temporal. Instants are epoch ms.
 */
import type { EventType } from '../domain/event-type.ts';
import type { OccurrenceState, SkipReason } from '../domain/occurrence-state.ts';
import type { DeliveryResult } from '../domain/plan-messages.ts';

/** What planning knows of a user. */
export interface UserFacts {
  readonly userId: string;
  readonly dateOfBirth: string;
  readonly timezone: string;
  readonly createdAt: number;
  /** When date of birth or zone last changed; at first, `createdAt`. */
  readonly changedAt: number;
}

/** What a greeting knows of a user: read in bulk at the moment of sending. */
export interface Recipient {
  readonly userId: string;
  readonly externalId: string | null;
  readonly firstName: string;
  readonly lastName: string;
  readonly dateOfBirth: string;
  readonly timezone: string;
}

/** The window onto the User Context. */
export interface UserDirectory {
  findRecipients(userIds: readonly string[]): Promise<Map<string, Recipient>>;
}

/** One planning transaction: everything in it is seen by others at once or not at all. */
export interface PlanningTransaction {
  /** Locks the user's row until the end; null when there is no such user. */
  lockUser(userId: string): Promise<UserFacts | null>;
  /** Locks the row until the end, so that no claim takes it meanwhile. */
  findOpen(eventType: EventType, userId: string): Promise<OpenOccurrence | null>;
  /**
   * Years that are settled for good (COMPLETED, FAILED, SKIPPED) or open beside a later one
   * (redelivered), with their last known instant.
   */
  findFinal(eventType: EventType, userId: string): Promise<readonly FinalOccurrence[]>;
  /**
   * PENDING, new or moved; a PROCESSING row of the same key is taken back, and its open
   * activity is told so.
   */
  savePlanned(occurrence: PlannedOccurrence): Promise<void>;
  /** A settled row for an occurrence that will not be attempted. */
  saveSkipped(occurrence: PlannedOccurrence, reason: SkipReason): Promise<void>;
  /** Settles an open row as it stands. */
  skipOpen(key: string, reason: SkipReason, now: number): Promise<void>;
  /** An open row whose day never came: only one without attempts is removed. */
  removeOpen(key: string): Promise<void>;
}

export interface PlanningStore {
  transaction<Result>(work: (tx: PlanningTransaction) => Promise<Result>): Promise<Result>;
}

/** The row that is planned or being attempted: PENDING or PROCESSING. */
export interface OpenOccurrence {
  readonly key: string;
  readonly year: number;
  readonly state: OccurrenceState;
  readonly anchorDate: string;
  readonly timezone: string;
  readonly fireAt: number | null;
  readonly attempts: number;
  readonly rechecked: boolean;
  /** On the wire now, by the database's clock. */
  readonly sending: boolean;
}

export interface FinalOccurrence {
  readonly year: number;
  readonly fireAt: number | null;
}

/** All that the ledger keeps of a plan. */
export interface PlannedOccurrence {
  readonly key: string;
  readonly eventType: EventType;
  readonly userId: string;
  readonly year: number;
  readonly anchorDate: string;
  readonly timezone: string;
  readonly localTime: string;
  readonly leapDayPolicy: string;
  readonly tzVersion: string;
  /** Null, both, when it cannot be planned; then `blockedReason` says why. */
  readonly localDate: string | null;
  readonly fireAt: number | null;
  readonly blockedReason: string | null;
  readonly plannedAt: number;
  readonly rechecked: boolean;
}

/** The first stage of a delivery, as the activity sees it. */
export interface Arming {
  /**
   * PENDING or PROCESSING → PROCESSING, due at its fire instant (or now, if that has
   * passed), with the token by which the open activity is completed later.
   */
  arm(request: ArmRequest): Promise<ArmResult>;
}

export interface ArmRequest {
  readonly occurrenceKey: string;
  /** The instant the workflow believes in; another in the ledger releases it. */
  readonly fireAt: number;
  readonly taskToken: Uint8Array;
  readonly now: number;
}

export type ArmResult =
  | { readonly kind: 'armed' }
  | { readonly kind: 'settled'; readonly outcome: 'delivered' | 'failed' | 'skipped' }
  /** Moved or gone: the workflow plans again. */
  | { readonly kind: 'released' };

/** The second stage: what dispatchers do with armed rows. Each call is one conditional, set-based statement. */
export interface DeliveryLedger extends Arming {
  /**
   * Takes due rows for this process: due by the caller's clock and by the database's, those
   * on time before those late, within the destination's pace. None while it is paused.
   */
  claim(request: ClaimRequest): Promise<ClaimedOccurrence[]>;
  /**
   * Keeps attempts and what follows from them. What follows holds only under the fence,
   * except a delivery: that is the truth whoever holds the row. This and the next two never
   * wait for a row that is locked: they give those back, to be written again.
   */
  record(attempts: readonly RecordedAttempt[]): Promise<readonly RecordedAttempt[]>;
  /** Lets go of claimed rows that are not to be sent as planned; the claimed attempt is uncounted. */
  release(claims: readonly ReleasedClaim[]): Promise<readonly ReleasedClaim[]>;
  /** Returns claimed rows that were not sent: uncounted, due again now. */
  giveBack(claims: readonly Claim[]): Promise<readonly Claim[]>;
  /** Whether nothing is to be sent for now, also of what was claimed before. */
  isPaused(): Promise<boolean>;
  /** Ms until the next armed row is due by both clocks, 0 when it is, null when nothing is armed. */
  nextDueInMs(now: number): Promise<number | null>;
  /** Requests a second, all dispatchers together; null for no limit. */
  setPace(maxPerSecond: number | null): Promise<void>;
  counts(): Promise<LedgerCounts>;
}

export interface ClaimRequest {
  readonly limit: number;
  /** How many of them may be late; all, when not given. */
  readonly lateLimit?: number;
  readonly now: number;
  /** How long the rows are this process's: after that, any other may claim them. */
  readonly holdMs: number;
}

/** A row held by this process. The fence tells its hold from an earlier or later one. */
export interface Claim {
  readonly key: string;
  readonly fence: number;
}

export interface ClaimedOccurrence extends Claim {
  readonly eventType: EventType;
  readonly userId: string;
  readonly year: number;
  readonly anchorDate: string;
  readonly timezone: string;
  readonly localDate: string;
  readonly fireAt: number;
  /** This attempt's number, from 1. */
  readonly attempt: number;
  /** Its number since the row was armed, from 1. */
  readonly armedAttempt: number;
  readonly firstAttemptAt: number;
  /** It was late already when it was armed: it goes behind those on time. */
  readonly late: boolean;
}

export interface ReleasedClaim extends Claim {
  /** `changed`: the facts are no longer the planned ones; the workflow plans again. */
  readonly because: 'changed' | 'user_deleted' | 'too_late';
}

/** One HTTP request, as the ledger keeps it. */
export interface RecordedAttempt extends Claim {
  readonly attempt: number;
  readonly fireAt: number;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: string;
  readonly status: number | null;
  readonly errorCode: string | null;
  readonly responseExcerpt: string | null;
  readonly next: AttemptConsequence;
}

/** What an attempt leads to; `at` is an instant in epoch ms. */
export type AttemptConsequence =
  | { readonly kind: 'delivered'; readonly at: number }
  /** Again from the ledger. */
  | { readonly kind: 'again'; readonly at: number }
  /** Again, but by way of Temporal: reported as a failure that is retried. */
  | { readonly kind: 'retry'; readonly at: number }
  /** Given up, for this reason. */
  | { readonly kind: 'failed'; readonly at: number; readonly reason: string };

export interface LedgerCounts {
  readonly armed: number;
  readonly unreported: number;
}

/** The third stage: outcomes that the waiting activities do not know yet. */
export interface ReportQueue {
  /** Takes outcomes for this reporter; after `holdMs` another may take them. */
  take(limit: number, holdMs: number): Promise<PendingReport[]>;
  /** Only what was reported: a row that was armed again keeps its new token. */
  markReported(reports: readonly PendingReport[]): Promise<void>;
  /** Returns what could not be reported, to be taken again after a while. */
  postpone(reports: readonly PendingReport[], delayMs: number): Promise<void>;
}

export interface PendingReport {
  readonly key: string;
  readonly taskToken: Uint8Array;
  readonly kind: DeliveryResult['outcome'] | 'retry';
  /** For `retry`: not before this instant. */
  readonly retryAt: number | null;
  readonly attempts: number;
  readonly lastStatus: number | null;
  readonly lastErrorCode: string | null;
}

/** The engine that waits for an outcome. Both resolve when it no longer waits for this one. */
export interface ActivityReporter {
  complete(taskToken: Uint8Array, result: DeliveryResult): Promise<void>;
  /** Fails the waiting activity for now: it is attempted again after the delay. */
  fail(taskToken: Uint8Array, failure: RetryableFailure): Promise<void>;
}

export interface RetryableFailure {
  readonly message: string;
  readonly nextRetryDelayMs: number;
}
