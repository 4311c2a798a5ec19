import { DAY_MS } from '../time/calendar-date.ts';
import type { DueMinute, Forecast } from './schema.ts';

const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
/** Enough to tell a peak from an ordinary day. */
const PEAKS = 10;
/** A month of minutes with all their zones is a megabyte at most; a year is too much for one answer. */
const MINUTES_LISTED_MS = 31 * DAY_MS;

/** Adds up occurrences by minute and zone. */
export function createTally() {
  const byMinute = new Map<number, Map<string, number>>();
  return {
    planned: 0,
    blocked: 0,
    /** @param at epoch ms */
    add(at: number, timezone: string, count: number): void {
      const minute = startOf(at, MINUTE_MS);
      const zones = byMinute.get(minute) ?? new Map<string, number>();
      byMinute.set(minute, zones.set(timezone, (zones.get(timezone) ?? 0) + count));
    },
    /** In the order of time. @param lengthMs of the window: minutes are listed for a short one only */
    total(lengthMs: number): Pick<Forecast, 'due' | 'peaks' | 'hours' | 'minutes'> {
      const minutes = [...byMinute].toSorted(([one], [other]) => one - other).map(toMinute);
      return {
        due: minutes.reduce((sum, { due }) => sum + due, 0),
        peaks: minutes.toSorted((one, other) => other.due - one.due).slice(0, PEAKS),
        hours: byHour(minutes),
        minutes: lengthMs > MINUTES_LISTED_MS ? null : minutes,
      };
    },
  };
}

function toMinute([at, counts]: [number, ReadonlyMap<string, number>]): DueMinute {
  const zones = [...counts]
    .map(([timezone, due]) => ({ timezone, due }))
    .toSorted((one, other) => other.due - one.due || (one.timezone < other.timezone ? -1 : 1));
  const due = zones.reduce((sum, zone) => sum + zone.due, 0);
  return { at: new Date(at).toISOString(), due, zones };
}

function byHour(minutes: readonly DueMinute[]): Forecast['hours'] {
  const hours = new Map<string, number>();
  for (const { at, due } of minutes) {
    const hour = new Date(startOf(Date.parse(at), HOUR_MS)).toISOString();
    hours.set(hour, (hours.get(hour) ?? 0) + due);
  }
  return [...hours].map(([at, due]) => ({ at, due }));
}

/** Where the hour, minute or day begins that an instant is in. */
export function startOf(at: number, lengthMs: number): number {
  return Math.floor(at / lengthMs) * lengthMs;
}
