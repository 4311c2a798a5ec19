/** What is owed late: nobody tried it, and its instant is longer ago than LATE_AFTER. */
export interface CatchUp {
  /** Planned, armed, or on the wire for the first time; not what was asked for by redelivery. */
  findOwed(): Promise<OwedLate>;
}

export interface OwedLate {
  readonly count: number;
  /** Of the oldest of them, ms; null when there is none. */
  readonly latenessMs: number | null;
}
