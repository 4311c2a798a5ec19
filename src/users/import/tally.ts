/** Counts of users or occasions, by what happened to them. */
export interface Tally {
  created: number;
  updated: number;
  unchanged: number;
}

export function noTally(): Tally {
  return { created: 0, updated: 0, unchanged: 0 };
}

export function addTo(total: Tally, more: Readonly<Tally>): void {
  total.created += more.created;
  total.updated += more.updated;
  total.unchanged += more.unchanged;
}
