import type { ZoneLaw } from '../domain/zone.ts';

/** A stretch of time in which two laws show other times in a zone. Instants are epoch ms. */
export interface LawDifference {
  readonly timezone: string;
  /** Both ends are cut off at those of the period that was looked at. */
  readonly from: number;
  readonly until: number;
  /** Ms ahead of UTC, by the one law and by the other. */
  readonly offsets: readonly [number, number];
}

/** Where two laws differ within a period, in zones that both know. */
export function findDifferences(
  one: ZoneLaw,
  other: ZoneLaw,
  timezones: readonly string[],
  period: Period,
): LawDifference[] {
  return timezones
    .filter((timezone) => one.isKnown(timezone) && other.isKnown(timezone))
    .flatMap((timezone) => differencesIn(one, other, timezone, period));
}

export interface Period {
  readonly from: number;
  readonly until: number;
}

function differencesIn(
  one: ZoneLaw,
  other: ZoneLaw,
  timezone: string,
  period: Period,
): LawDifference[] {
  const changes = [...changesIn(one, timezone, period), ...changesIn(other, timezone, period)];
  const edges = [period.from, ...changes.sort((a, b) => a - b), period.until];
  const stretches = edges.slice(0, -1).map((from, index): LawDifference => {
    const offsets = [one.offsetAt(timezone, from), other.offsetAt(timezone, from)] as const;
    return { timezone, from, until: edges[index + 1] ?? period.until, offsets };
  });
  return stretches.filter(({ from, until, offsets: [a, b] }) => from < until && a !== b);
}

/** The instants at which clocks change. */
function changesIn(law: ZoneLaw, timezone: string, { from, until }: Period): number[] {
  const changes: number[] = [];
  for (let start = from; start < until; start += STEP_MS) {
    let [low, high] = [start, Math.min(start + STEP_MS, until)];
    const before = law.offsetAt(timezone, low);
    if (law.offsetAt(timezone, high) === before) continue;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (law.offsetAt(timezone, middle) === before) low = middle;
      else high = middle;
    }
    changes.push(high);
  }
  return changes;
}

/** No zone of the tz database changed twice within two days. */
const STEP_MS = 2 * 86_400_000;
