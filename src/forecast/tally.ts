import { DAY_MS } from '../time/calendar-date.ts';
import type { DueMinute, Forecast } from './forecast.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Enough to see what is a peak and what is every day. */
const PEAKS = 10;
/** A month of minutes with all their zones is a megabyte at the most; a year is not for one answer. */
const MINUTES_LISTED_MS = 31 * DAY_MS;

type About = Pick<Forecast, 'from' | 'to' | 'forecastAt' | 'settings'>;

/** Adds up occurrences by minute and zone. Instants are epoch ms, and count for their minute. */
export function createForecastTally() {
  const byMinute = new Map<number, Map<string, number>>();
  let planned = 0;
  let computed = 0;
  let blocked = 0;

  function add(at: number, timezone: string, count: number): void {
    const minute = startOf(at, MINUTE_MS);
    const zones = byMinute.get(minute) ?? new Map<string, number>();
    byMinute.set(minute, zones.set(timezone, (zones.get(timezone) ?? 0) + count));
  }

  return {
    planned(at: number, timezone: string, count: number): void {
      planned += count;
      add(at, timezone, count);
    },
    computed(at: number, timezone: string, count: number): void {
      computed += count;
      add(at, timezone, count);
    },
    blocked(count: number): void {
      blocked += count;
    },
    forecast(about: About): Forecast {
      const minutes = [...byMinute].map(toMinute).sort((one, other) => one.at - other.at);
      return {
        ...about,
        due: planned + computed,
        planned,
        blocked,
        peaks: peaksOf(minutes),
        hours: byHour(minutes),
        minutes: about.to - about.from > MINUTES_LISTED_MS ? null : minutes,
      };
    },
  };
}

function toMinute([at, counts]: [number, ReadonlyMap<string, number>]): DueMinute {
  const zones = [...counts]
    .map(([timezone, due]) => ({ timezone, due }))
    .sort((one, other) => other.due - one.due || (one.timezone < other.timezone ? -1 : 1));
  return { at, due: zones.reduce((sum, zone) => sum + zone.due, 0), zones };
}

function peaksOf(minutes: readonly DueMinute[]): DueMinute[] {
  return minutes.toSorted((one, other) => other.due - one.due || one.at - other.at).slice(0, PEAKS);
}

function byHour(minutes: readonly DueMinute[]): { at: number; due: number }[] {
  const hours = new Map<number, number>();
  for (const { at, due } of minutes) {
    const hour = startOf(at, HOUR_MS);
    hours.set(hour, (hours.get(hour) ?? 0) + due);
  }
  return [...hours].map(([at, due]) => ({ at, due }));
}

function startOf(at: number, lengthMs: number): number {
  return Math.floor(at / lengthMs) * lengthMs;
}
