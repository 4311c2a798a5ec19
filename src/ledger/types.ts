/** The rows of the ledger as the rest of Daybell sees them. Instants are epoch ms. */

/**
 * test/ledger/transitions.ts is the table of all transitions, and a test checks the statements of
 * this folder against it.
 */
export type OccurrenceState = 'PENDING' | 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'SKIPPED';

/**
 * Why an occurrence ended other than by the receiver's response: SKIPPED, or FAILED if it was
 * attempted.
 */
export type EndReason =
  | 'user_deleted'
  | 'occasion_deleted'
  | 'suspended'
  | 'too_late'
  | 'superseded'
  | 'date_changed';

/**
 * Why attempts ended: `refused` and `gone` come from the receiver, `gave_up` from GIVE_UP_AFTER.
 */
export type FailReason = 'refused' | 'gone' | 'gave_up';

/** An occasion: `type` and `id` are its workflow's id, `<type>/<id>`. */
export interface OccasionRef {
  readonly type: string;
  readonly id: string;
}

/** An occasion with its user's id, which Temporal's Web UI shows. */
export interface OwnedOccasion extends OccasionRef {
  readonly userId: string;
}

/**
 * For this long after a start, or a failed database call, a process takes no expired lease, in ms:
 * the processes that held them write their outcomes first.
 */
export const EXPIRED_LEASE_GRACE_MS = 5_000;

/**
 * A row held by this process until its lease ends. The token distinguishes one lease from the next.
 */
export interface Lease {
  readonly key: string;
  readonly leaseToken: number;
}

interface Plan {
  readonly key: string;
  readonly occasionType: string;
  readonly occasionId: string;
  readonly userId: string;
  /** `YYYY-MM-DD`, even if that day does not exist. */
  readonly nominalDate: string;
  /** The date of the occasion that the plan is based on; for a birthday, the date of birth. */
  readonly date: string;
  readonly timezone: string;
  /** The version of the inputs that the plan is based on. */
  readonly inputsAt: number;
  /** The version of the installation's and the occasion type's rules that the plan is based on. */
  readonly rulesId: number;
  /** When the next occurrence of the occasion falls due; null when none does. */
  readonly supersededAt: number | null;
}

/** The row that a plan writes. If it has no instant, `blockedReason` says why. */
export interface PlannedRow extends Plan {
  readonly recurrence: string;
  /** RFC 5545, when the recurrence is one. */
  readonly rrule: string | null;
  /** Due so many days before the nominal date. */
  readonly offsetDays: number;
  readonly localTime: string;
  readonly leapDayPolicy: string;
  readonly tzVersion: string;
  /** The day on the user's calendar, `YYYY-MM-DD`. */
  readonly localDate: string | null;
  readonly dueAt: number | null;
  readonly blockedReason: string | null;
  readonly destination: string;
}

export interface ClaimedOccurrence extends Lease, Plan {
  readonly destination: string;
  readonly recurrence: string;
  /** The day on which the nominal date is kept: the local date, unless there is an offset. */
  readonly keptDate: string;
  readonly localDate: string;
  readonly dueAt: number;
  /** The number that an attempt made now would get, from 1. */
  readonly attempt: number;
  /** Attempts before this due instant, or before the redelivery. */
  readonly earlierAttempts: number;
  /** When the first attempt of this due instant or redelivery began; null before it. */
  readonly firstAttemptAt: number | null;
  /** A retry, a redelivery, or later than LATE_AFTER: sent behind punctual ones. */
  readonly late: boolean;
  readonly redelivered: boolean;
}

export interface ClaimRequest {
  /** The most rows to claim. */
  readonly limit: number;
  /** The most late rows to claim; `limit` by default. */
  readonly lateLimit?: number;
  /** By the process's clock: a row must be due by both clocks. */
  readonly now: number;
  readonly leaseMs: number;
  /** False leaves expired leases to the processes that held them. */
  readonly takesExpired: boolean;
}

export interface ClaimResult {
  /** By the database's clock when the claim was made. */
  readonly databaseNow: number;
  /** Punctual ones first, then by due instant. */
  readonly claimed: readonly ClaimedOccurrence[];
  /** How many could have been taken: less than `limit` at a rate limit, 0 while held. */
  readonly allowed: number;
}

/** One HTTP request, as the ledger keeps it. */
export interface KeptAttempt {
  readonly sentBy: 'dispatcher' | 'workflow';
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: string;
  readonly status: number | null;
  readonly errorCode: string | null;
  readonly responseExcerpt: string | null;
}

/** An attempt and what it leads to. It gets its number when it is recorded. */
export interface RecordedAttempt extends Lease, KeptAttempt {
  readonly destination: string;
  readonly dueAt: number;
  readonly localDate: string;
  readonly redelivered: boolean;
  readonly next: NextStep;
  /** The destination as a whole asked to slow down (429, 503). */
  readonly slowsDestination: boolean;
  /** How long it asked to wait, in ms; null when it did not say. */
  readonly retryAfterMs: number | null;
}

/** What an attempt leads to; `at` is an instant in epoch ms. */
export type NextStep =
  | { readonly kind: 'delivered'; readonly at: number }
  /** PENDING again from `at`; `notBefore`: what the receiver asked for, which survives a new plan. */
  | { readonly kind: 'retry'; readonly at: number; readonly notBefore: number | null }
  | { readonly kind: 'failed'; readonly at: number; readonly reason: FailReason | 'superseded' };

/** The attempts whose next step was not written; those of all others were. */
export interface Recorded {
  /** Not written, because their rows are locked or have another attempt here: to be written again. */
  readonly locked: readonly RecordedAttempt[];
  /** Only recorded as attempts: another process held the lease by then. */
  readonly lost: readonly RecordedAttempt[];
}

/** A leased row that is settled without an attempt: SKIPPED, or FAILED if it was attempted before. */
export interface EndedClaim extends Lease {
  readonly reason: EndReason;
}

/** An occurrence that fell due and must not be attempted. */
export interface SkippedRow extends PlannedRow {
  readonly reason: EndReason;
}

/** What a plan does to the currently open row, if it does not stay. */
export type OpenRowChange =
  /** Only a row that was never attempted and never fell due. */
  | { readonly key: string; readonly action: 'remove' }
  | { readonly key: string; readonly action: 'settle'; readonly reason: EndReason };
