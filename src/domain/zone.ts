/**
 * What one version of the tz database says. A law is handed to whatever resolves local
 * time, so that a newer one needs no newer runtime. Implemented in src/zones.
 */
export interface ZoneLaw {
  /** Of the tz database, such as `2026f`. */
  readonly version: string;
  /** Whether it is a name of the database, links included, spelt as it is there. */
  isKnown(timezone: string): boolean;
  /** Whether only the case of its letters keeps it from being one. */
  isMisspelt(timezone: string): boolean;
  /**
   * How far local clocks in a known zone are ahead of UTC at an instant, in ms. Local mean
   * times of the 19th century have seconds. Throws a RangeError for a zone that is not known.
   */
  offsetAt(timezone: string, instantMs: number): number;
}
