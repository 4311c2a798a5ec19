/**
 * What a forecast reads, of both contexts: implemented in one file of src/persistence. Instants
 * are epoch ms.
 */
import type { EventType } from '../domain/event-type.ts';
import type { DateSettings } from '../domain/rules.ts';
import type { MonthDay, Window } from './audit.ts';

export interface ForecastReader {
  /** One view of both contexts, which does not change while it is read. */
  read<Result>(work: (view: ForecastView) => Promise<Result>): Promise<Result>;
}

export interface ForecastView {
  /** What the ledger has planned or under way in a window. */
  findPlanned(window: Window): Promise<PlannedGroup[]>;
  /**
   * Who has an event on one of these days in a nominal year of which the ledger says nothing
   * yet: counted by day and zone, never one by one.
   */
  countUnplanned(search: UnplannedSearch): Promise<UnplannedGroup[]>;
}

export interface PlannedGroup {
  /** The beginning of its minute. */
  readonly minute: number;
  readonly timezone: string;
  readonly count: number;
}

export interface UnplannedSearch {
  readonly eventType: EventType;
  readonly year: number;
  readonly monthDays: readonly MonthDay[];
}

export interface UnplannedGroup {
  readonly monthDay: MonthDay;
  readonly timezone: string;
  readonly count: number;
}

/** How many are due when. Everybody is counted once for each of their years. */
export interface Forecast {
  readonly from: number;
  /** Not in it. */
  readonly to: number;
  readonly forecastAt: number;
  /** By which the users were resolved that the ledger has not planned yet. */
  readonly settings: DateSettings & { readonly tzVersion: string };
  readonly armWindowMs: number;
  readonly due: number;
  /** Of these, rows of the ledger; the others are computed from the users. */
  readonly planned: number;
  /** Besides: those who can't be planned, for their zone is not known here. Counted by UTC. */
  readonly blocked: number;
  /** The fullest minutes, the fullest first. */
  readonly peaks: readonly Peak[];
  /** In the order of time, and only where anybody is due. */
  readonly hours: readonly { readonly at: number; readonly due: number }[];
  /** The same by minute and zone; null for a window too long to list. */
  readonly minutes: readonly DueMinute[] | null;
}

export interface DueMinute {
  /** Its beginning. */
  readonly at: number;
  readonly due: number;
  /** The fullest first. */
  readonly zones: readonly { readonly timezone: string; readonly due: number }[];
}

export interface Peak extends DueMinute {
  /** How many would be armed a second by the ARM_WINDOW in force; null when that is 0. */
  readonly armedPerSecond: number | null;
}
