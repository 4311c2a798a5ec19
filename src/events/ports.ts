/**
 * What the Event Scheduling Context needs from the outside. Implemented in
 * src/persistence (users, ledger) and src/temporal. Instants are epoch ms.
 */
import type { Demand } from '../domain/destination-demand.ts';
import type { SlowDown } from '../domain/destination-pace.ts';
import type { EventType } from '../domain/event-type.ts';
import type { DeliveryResult } from '../domain/plan-messages.ts';

/** What a greeting knows of a user: read in bulk at the moment of sending. */
export interface Recipient {
  readonly userId: string;
  readonly externalId: string | null;
  readonly firstName: string;
  readonly lastName: string;
  readonly timezone: string;
  /** What is true now of the event; `unknown` for a type that this version does not have. */
  readonly facts: AnchorFacts | 'none' | 'unknown';
}

/** What decides when an event of a user is due. */
export interface AnchorFacts {
  /** The date that recurs, `YYYY-MM-DD`. */
  readonly anchorDate: string;
  readonly timezone: string;
}

/** The window onto the User Context. */
export interface UserDirectory {
  /** By the key of the occurrence; without those whose user does not exist. */
  findRecipients(
    occurrences: readonly Pick<ClaimedOccurrence, 'key' | 'eventType' | 'userId'>[],
  ): Promise<Map<string, Recipient>>;
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

/** What the dispatchers do about an occurrence that no activity armed. */
export interface OverdueArming {
  /**
   * PENDING → PROCESSING, due since their instant, for rows whose instant and plan are both longer ago than
   * `graceMs`: no activity waits for them, so the ledger alone retries them. Each plan once.
   *
   * @returns how many
   */
  armOverdue(request: { readonly limit: number; readonly graceMs: number }): Promise<number>;
}

/** The second stage: what dispatchers do with armed rows. Each call is one conditional, set-based statement. */
export interface DeliveryLedger extends Arming, OverdueArming {
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
  record(attempts: readonly RecordedAttempt[]): Promise<Recorded>;
  /** Lets go of claimed rows that are not to be sent as planned; the claimed attempt is uncounted. */
  release(claims: readonly ReleasedClaim[]): Promise<readonly ReleasedClaim[]>;
  /** Returns claimed rows that were not sent: uncounted, due again now. */
  giveBack(claims: readonly Claim[]): Promise<readonly Claim[]>;
  /** Whether nothing is to be sent for now, also of what was claimed before: paused, or stopped by a slow-down. */
  isHeld(): Promise<boolean>;
  /** Slows the destination, or lets it recover, for all dispatchers, as its answers ask. */
  heed(demand: Demand): Promise<Heeded>;
  /** What was armed on time and is late by now goes behind those on time, as after downtime. */
  putLateBehind(): Promise<void>;
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
  /** Sent again because somebody asked: whether the user moved or it is late says nothing then. */
  readonly redelivered: boolean;
  /** Attempts that were made before the redelivery; 0 without one. */
  readonly earlierAttempts: number;
}

export interface ReleasedClaim extends Claim {
  /** `changed`: the facts are no longer the planned ones; the workflow plans again. */
  readonly because: 'changed' | 'user_deleted' | 'too_late';
}

/** One HTTP request, as the ledger keeps it. */
export interface RecordedAttempt extends Claim {
  readonly attempt: number;
  readonly fireAt: number;
  /** How late it is says nothing of how well deliveries go. */
  readonly redelivered: boolean;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: string;
  readonly status: number | null;
  readonly errorCode: string | null;
  readonly responseExcerpt: string | null;
  readonly next: AttemptConsequence;
  /** The destination as a whole asked for less (429, 503). */
  readonly slowsDestination: boolean;
  /** How long it asked to wait; null when it did not say. */
  readonly retryAfterMs: number | null;
}

/** Of some attempts, those that led to nothing: all others have become what they led to. */
export interface Recorded {
  /** Not written: their rows are locked. */
  readonly left: readonly RecordedAttempt[];
  /** Kept as attempts alone: another has their rows. */
  readonly lost: readonly RecordedAttempt[];
}

/** What became of a demand. */
export interface Heeded {
  /** False when it told nothing new. */
  readonly changed: boolean;
  /** As it is now; null when the destination is not slowed. */
  readonly slowDown: SlowDown | null;
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
  /** Of an activity that no row waits with any more: it is let go, and that is all. */
  readonly stale: boolean;
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
