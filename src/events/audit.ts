/**
 * What an audit reads, of both contexts: implemented in one file of src/persistence. Instants
 * are epoch ms.
 */
import type { HeldFacts } from '../domain/due.ts';
import type { OccurrenceState } from '../domain/occurrence-state.ts';
import type { DateSettings } from '../domain/rules.ts';

export interface AuditReader {
  /** One view of both contexts, which does not change while it is read. */
  read<Result>(work: (view: AuditView) => Promise<Result>): Promise<Result>;
}

export interface AuditView {
  /** The zones of whoever was ever born on a day. */
  findZones(monthDay: MonthDay): Promise<string[]>;
  /** The settings that rows with an instant in a window were planned under; of PENDING ones they may be outdated. */
  findSettings(window: Window): Promise<DateSettings[]>;
  /** Who ever had a birthday that may be the one, in the order of ids, after an id. */
  findBorn(search: AuditSearch, after: string | null, limit: number): Promise<AuditedUser[]>;
  /** Of the users who were erased since, how many were due on the day, by what became of it. */
  countErased(date: string): Promise<ErasedCount[]>;
  /** Everybody else with a row of the day. */
  findOthers(search: AuditSearch, after: string | null, limit: number): Promise<AuditedUser[]>;
}

export interface ErasedCount {
  readonly state: OccurrenceState;
  readonly count: number;
}

/** Month and day as one number: 229 is 29 February. */
export type MonthDay = number;

/** From the first instant until before the second. */
export interface Window {
  readonly from: number;
  readonly until: number;
}

export interface AuditSearch {
  readonly date: string;
  /** In which instants of that day can be, anywhere. */
  readonly window: Window;
  readonly born: readonly BornOn[];
  /** Nominal years of which rows are read, besides those of the day and those that are open from before. */
  readonly years: readonly number[];
}

export interface BornOn {
  readonly monthDay: MonthDay;
  /** Null for any. */
  readonly timezones: readonly string[] | null;
}

export interface AuditedUser {
  readonly userId: string;
  /** The oldest first; none of a user that never was, or was erased. The last is closed when the user was deleted. */
  readonly history: readonly HeldFacts[];
  readonly rows: readonly AuditRow[];
}

/** A row of the ledger, as far as it tells what became of an occurrence. */
export interface AuditRow {
  readonly key: string;
  /** Of the audited day, by its own words. */
  readonly isOfDay: boolean;
  readonly year: number;
  readonly state: OccurrenceState;
  readonly reason: string | null;
  readonly isBlocked: boolean;
  readonly anchorDate: string;
  readonly timezone: string;
  readonly localTime: string;
  readonly leapDayPolicy: string;
  readonly localDate: string | null;
  readonly fireAt: number | null;
  readonly nextAttemptAt: number | null;
  readonly retryAt: number | null;
  readonly attempts: number;
  readonly deliveredAt: number | null;
  readonly latenessMs: number | null;
  readonly redeliveries: number;
  readonly isForced: boolean;
  /** Attempts that were delivered, as far as attempts are kept. */
  readonly deliveries: number;
}
