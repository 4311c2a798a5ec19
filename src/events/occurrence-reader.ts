import type { OccurrenceState } from '../domain/occurrence-state.ts';
import type { EventType } from '../domain/event-type.ts';

/** Reads the ledger for people. Implemented in src/persistence; instants are epoch ms. */
export interface OccurrenceReader {
  /** The newest occurrences of a user, at most `limit`, each with its attempts in order. */
  findOfUser(userId: string, limit: number): Promise<readonly LedgerOccurrence[]>;
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

/** One HTTP request for an occurrence. */
export interface LedgerAttempt {
  readonly number: number;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: string;
  readonly status: number | null;
  readonly errorCode: string | null;
}
