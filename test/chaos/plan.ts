/**
 * When users are due in a run, by zones that exist for it alone: each is a fixed number of
 * seconds ahead of UTC, so that the same wall-clock time comes every so many seconds
 * somewhere. So instants are known without any date rule.
 */
import { createInstantZones, type Zone } from '../support/instant-zones.ts';

export interface RunPlan {
  /** Epoch ms, ascending; users are due at these. */
  readonly instants: readonly number[];
  /** The day in every zone, and those that are over and to come in the same year; a user's date of birth has its month and day. */
  readonly days: {
    readonly today: string;
    readonly over: string | null;
    readonly toCome: string | null;
  };
  /** Of the birthday. */
  readonly year: number;
  /** The zone in which it is the local time at an instant, a whole second. */
  zoneOf(instant: number): Zone;
  /** When it is the local time on a day, in a zone. */
  instantOf(zone: Zone, day: string): number;
  /** Where the day's instant was before the run, and where it comes long after it. */
  readonly pastZones: readonly Zone[];
  readonly farZone: Zone;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** What is fixed when everything is started; instants are chosen when it runs. */
export interface Calendar {
  readonly localTime: string;
  readonly zones: readonly Zone[];
  /** The first instant is at least so far in the future (epoch ms), one more comes every `everyMs`. */
  plan(firstAt: number, minutes: number, everyMs: number): RunPlan;
}

export function createCalendar(now: number): Calendar {
  const { localTime, wallMs, zones, zoneOf, instantFrom } = createInstantZones(now);
  const dayStart = Math.floor(wallMs / DAY_MS) * DAY_MS;
  const today = isoDay(dayStart);
  const inSameYear = (day: string): string | null =>
    day.slice(0, 4) === today.slice(0, 4) ? day : null;
  const farZone = zoneOf(instantFrom(now + 10 * HOUR_MS));
  return {
    localTime,
    zones: [...zones, farZone],
    plan(firstAt, minutes, everyMs) {
      const first = instantFrom(firstAt);
      const count = Math.max(Math.floor((minutes * 60_000) / everyMs), 1);
      return {
        instants: Array.from({ length: count }, (_, index) => first + index * everyMs),
        days: {
          today,
          over: inSameYear(isoDay(dayStart - 20 * DAY_MS)),
          toCome: inSameYear(isoDay(dayStart + 20 * DAY_MS)),
        },
        year: Number(today.slice(0, 4)),
        zoneOf,
        instantOf: ({ offsetSeconds }, day) =>
          Date.parse(`${day}T00:00:00Z`) + (wallMs - dayStart) - offsetSeconds * 1000,
        // Over before anybody was created.
        pastZones: [5, 7, 9].map((minutesAgo) => zoneOf(instantFrom(now - minutesAgo * 60_000))),
        farZone,
      };
    },
  };
}

function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
