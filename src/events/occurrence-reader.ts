import type { OccurrenceState } from '../domain/occurrence-state.ts';
import type { EventType } from '../domain/event-type.ts';
import type { OccurrenceFilter } from './occurrence-filter.ts';

/** Reads the ledger for people. Implemented in src/persistence; instants are epoch ms. */
export interface OccurrenceReader {
  /** The newest occurrences of a user, at most `limit`, each with its attempts in order. */
  findOfUser(userId: string, limit: number): Promise<readonly LedgerOccurrence[]>;
  /**
   * What matches, at most `limit`, ordered by fire instant and key; those without an instant
   * come last. Only what comes after `after`, if given.
   */
  findPage(
    filter: OccurrenceFilter,
    after: OccurrencePlace | null,
    limit: number,
  ): Promise<readonly OccurrenceSummary[]>;
  /** One with all that is kept of it; null when there is none. */
  find(key: string): Promise<OccurrenceRecord | null>;
}

/** Where an occurrence stands in the order of pages. */
export interface OccurrencePlace {
  readonly fireAt: number | null;
  readonly key: string;
}

/** A row of the ledger, as it stands. */
export interface LedgerOccurrence {
  readonly key: string;
  readonly eventType: EventType;
  readonly year: number;
  readonly state: OccurrenceState;
  /** Why it FAILED or was SKIPPED. */
  readonly reason: string | null;
  /** Why it cannot be planned; then it has no local date and no instant. */
  readonly blockedReason: string | null;
  readonly anchorDate: string;
  readonly timezone: string;
  readonly localTime: string;
  readonly leapDayPolicy: string;
  readonly tzVersion: string;
  readonly localDate: string | null;
  readonly fireAt: number | null;
  readonly deliveredAt: number | null;
  readonly latenessMs: number | null;
  readonly attempts: readonly LedgerAttempt[];
}

/** A row without its attempts: what a page holds. No names. */
export interface OccurrenceSummary extends Omit<
  LedgerOccurrence,
  'anchorDate' | 'localTime' | 'leapDayPolicy' | 'attempts'
> {
  readonly userId: string;
  /** Of all that were made, also of those that are no longer kept. */
  readonly attemptCount: number;
  readonly firstAttemptAt: number | null;
  /** While it is armed and not on the wire; by way of Temporal, not before then. */
  readonly nextAttemptAt: number | null;
  /** Null until it is delivered. */
  readonly late: boolean | null;
}

/** All that is kept of an occurrence. */
export interface OccurrenceRecord extends LedgerOccurrence, OccurrenceSummary {
  readonly plannedAt: number;
  /** When the plan was last looked at again before its day. */
  readonly recheckedAt: number | null;
  /** When it became COMPLETED, FAILED or SKIPPED. */
  readonly settledAt: number | null;
  /** How often somebody had it sent again, and when last. */
  readonly redeliveries: number;
  readonly redeliveredAt: number | null;
  /** When it was last sent again although it had been delivered. */
  readonly forcedAt: number | null;
  readonly attempts: readonly (LedgerAttempt & { readonly responseExcerpt: string | null })[];
}

/** One HTTP request for an occurrence. */
export interface LedgerAttempt {
  readonly number: number;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: string;
  readonly status: number | null;
  readonly errorCode: string | null;
}
