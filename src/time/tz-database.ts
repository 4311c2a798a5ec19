/**
 * One version of the tz database. It is an argument of everything that resolves local time, so that
 * a newer one needs no newer Node, and two versions can be used at the same time.
 */
export interface TzDatabase {
  /** Such as `2026f`. */
  readonly version: string;
  /** Whether it is a name of the database, links included, in the database's spelling. */
  isKnown(timezone: string): boolean;
  /** Names to choose from; not necessarily every link. */
  names(): string[];
  /**
   * How far clocks in a zone are ahead of UTC at an instant, in ms; the local mean times of the
   * 19th century have seconds. Throws a RangeError for an unknown zone.
   */
  offsetAt(timezone: string, instantMs: number): number;
}
