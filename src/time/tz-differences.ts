import type { TzDatabase } from './tz-database.ts';

/** Epoch ms; `until` is exclusive. */
export interface Period {
  readonly from: number;
  readonly until: number;
}

/**
 * A period in which two tz databases have different offsets in a zone, limited to the search
 * period.
 */
export interface TzDifference extends Period {
  readonly timezone: string;
  /** Ms ahead of UTC, in the first and in the second. */
  readonly offsets: readonly [number, number];
}

/** Finds where two tz databases differ within a period, in zones that both know. */
export function findDifferences(
  one: TzDatabase,
  other: TzDatabase,
  timezones: readonly string[],
  period: Period,
): TzDifference[] {
  return timezones
    .filter((timezone) => one.isKnown(timezone) && other.isKnown(timezone))
    .flatMap((timezone) => {
      const changes = [one, other].flatMap((tz) => changesIn(tz, timezone, period));
      const edges = [period.from, ...changes.sort((a, b) => a - b), period.until];
      return edges.slice(0, -1).map((from, index): TzDifference => {
        const offsets = [one.offsetAt(timezone, from), other.offsetAt(timezone, from)] as const;
        return { timezone, from, until: edges[index + 1] ?? period.until, offsets };
      });
    })
    .filter(({ from, until, offsets: [a, b] }) => from < until && a !== b);
}

/** The instants at which clocks change. */
function changesIn(tz: TzDatabase, timezone: string, { from, until }: Period): number[] {
  const changes: number[] = [];
  for (let start = from; start < until; start += STEP_MS) {
    let [low, high] = [start, Math.min(start + STEP_MS, until)];
    const before = tz.offsetAt(timezone, low);
    if (tz.offsetAt(timezone, high) === before) continue;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (tz.offsetAt(timezone, middle) === before) low = middle;
      else high = middle;
    }
    changes.push(high);
  }
  return changes;
}

/** No zone of the tz database changed twice within two days. */
const STEP_MS = 2 * 86_400_000;
