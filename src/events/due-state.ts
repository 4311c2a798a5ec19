/** What came due of late and what will, for whoever watches it: a query each, by the instants. */
export interface DueState {
  /** Those whose instant was in the last 24 hours, by what became of them. */
  recent(): Promise<readonly RecentOccurrences[]>;
  /** The next 24 hours, an hour each, the first begins now; all 24 of them. */
  upcoming(): Promise<readonly UpcomingHour[]>;
  /** How long ago the instant was of the oldest that is neither settled nor blocked; 0 when none is past. */
  oldestOpenAgeMs(): Promise<number>;
}

/** Delivered until LATE_AFTER or later; given up; too late to be sent; and, open, until LATE_AFTER or later. */
export const DUE_OUTCOMES = ['on_time', 'late', 'failed', 'skipped', 'waiting', 'overdue'] as const;

export interface RecentOccurrences {
  readonly outcome: (typeof DUE_OUTCOMES)[number];
  readonly lastDay: number;
  readonly lastHour: number;
}

export interface UpcomingHour {
  /** From now to its beginning: 0 to 23. */
  readonly inHours: number;
  readonly occurrences: number;
  /** The most of them that are due in one minute. */
  readonly peak: number;
}
