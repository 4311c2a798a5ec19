import type { EventType } from '../domain/event-type.ts';
import type { OccurrenceState, SkipReason } from '../domain/occurrence-state.ts';
import type { DatedFacts } from '../domain/planning-history.ts';

/** Planning's window onto the user and the ledger. Implemented in src/persistence; instants are epoch ms. */
export interface PlanningStore {
  transaction<Result>(work: (tx: PlanningTransaction) => Promise<Result>): Promise<Result>;
}

/** One planning transaction: everything in it is seen by others at once or not at all. */
export interface PlanningTransaction {
  /** Locks the user's row, and whatever else the facts are in, until the end; or why there are none. */
  lockFacts(eventType: EventType, userId: string): Promise<UserFacts | NoFacts>;
  /** Locks the row until the end, so that no claim takes it meanwhile. */
  findOpen(eventType: EventType, userId: string): Promise<OpenOccurrence | null>;
  /**
   * Years that are settled for good (COMPLETED, FAILED, SKIPPED, or being sent again after
   * that), with their last known instant.
   */
  findFinal(eventType: EventType, userId: string): Promise<readonly FinalOccurrence[]>;
  /**
   * What was true of the user at an instant (epoch ms) and since, the oldest first; of very
   * many changes the latest.
   */
  findHistory(eventType: EventType, userId: string, since: number): Promise<readonly DatedFacts[]>;
  /**
   * PENDING, new or moved; a PROCESSING row of the same key is taken back, and its open
   * activity is told so.
   */
  savePlanned(occurrence: PlannedOccurrence): Promise<void>;
  /** A settled row for an occurrence that will not be attempted. */
  saveSkipped(occurrence: PlannedOccurrence, reason: SkipReason): Promise<void>;
  /** Settles an open row as it stands. */
  skipOpen(key: string, reason: SkipReason, now: number): Promise<void>;
  /** An open row whose day never came, without attempts; its open activity is told to let go. */
  removeOpen(key: string): Promise<void>;
}

/** Why there is nothing to plan: there is no such user, or no such event of theirs. */
export type NoFacts = Extract<SkipReason, 'user_deleted' | 'date_removed'>;

/** What planning knows of an event of a user. */
export interface UserFacts {
  readonly userId: string;
  /** The date that recurs: of a birthday, the date of birth. */
  readonly dateOfBirth: string;
  readonly timezone: string;
  readonly createdAt: number;
  /** When date or zone last changed; at first, `createdAt`. */
  readonly changedAt: number;
}

/** The row that is planned or being attempted: PENDING or PROCESSING, and not by redelivery. */
export interface OpenOccurrence {
  readonly key: string;
  readonly year: number;
  readonly state: OccurrenceState;
  readonly anchorDate: string;
  readonly timezone: string;
  readonly fireAt: number | null;
  readonly attempts: number;
  readonly rechecked: boolean;
  /** `changedAt` of the facts that it was planned with. */
  readonly factsAt: number;
  /** On the wire now, by the database's clock. */
  readonly sending: boolean;
}

export interface FinalOccurrence {
  readonly year: number;
  readonly fireAt: number | null;
  /** `changedAt` of the facts that it was last planned with. */
  readonly factsAt: number;
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
  /** `changedAt` of the user's facts that planning knew. */
  readonly factsAt: number;
  readonly rechecked: boolean;
}
