import type { ZoneLaw } from '../domain/zone.ts';
import type { PackedZoneData, ZoneChanges } from './packed-zone-data.ts';

/** The law of packed zone data. It asks nothing of the runtime. */
export function createPackedZoneLaw({ version, zones }: PackedZoneData): ZoneLaw {
  const lowerCased = new Set([...zones.keys()].map((name) => name.toLowerCase()));
  return {
    version,
    isKnown: (timezone) => zones.has(timezone),
    isMisspelt: (timezone) => !zones.has(timezone) && lowerCased.has(timezone.toLowerCase()),
    offsetAt(timezone, instantMs) {
      const zone = zones.get(timezone);
      if (zone === undefined) throw new RangeError(`no time zone ${timezone.slice(0, 64)}`);
      return offsetIn(zone, withinData(instantMs));
    },
  };
}

function offsetIn({ changesAt, offsets }: ZoneChanges, instantMs: number): number {
  let [low, high] = [0, changesAt.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (instantMs < (changesAt[middle] ?? Infinity)) high = middle;
    else low = middle + 1;
  }
  return offsets[low] ?? Number.NaN;
}

/**
 * The data ends with 2037. Rules that go on for ever name a weekday of a month ("the second
 * Sunday in March"), so a later year is told by the latest one in the data that has the
 * same weekdays from March on: there is one from 2030 on for each.
 */
function withinData(instantMs: number): number {
  if (instantMs < firstOfMarch(LAST_YEAR + 1)) return instantMs;
  const calendarYear = new Date(instantMs).getUTCFullYear();
  const year = instantMs < firstOfMarch(calendarYear) ? calendarYear - 1 : calendarYear;
  for (let like = LAST_YEAR; ; like -= 1) {
    const shiftMs = firstOfMarch(year) - firstOfMarch(like);
    if (shiftMs % WEEK_MS === 0) return instantMs - shiftMs;
  }
}

const LAST_YEAR = 2037;
const WEEK_MS = 7 * 86_400_000;

/** UTC midnight. From March on, years differ by their weekdays only. */
function firstOfMarch(year: number): number {
  return Date.UTC(year, 2, 1);
}
