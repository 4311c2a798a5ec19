/**
 * When users are due in a run, by zones that exist for it alone: each is a fixed number of
 * seconds ahead of UTC, so that the same wall-clock time comes every so many seconds
 * somewhere. So instants are known without any date rule.
 */
import { readFileSync, writeFileSync } from 'node:fs';

import { bundledZoneData } from '../../src/zones/load-zone-law.ts';

export interface Zone {
  readonly name: string;
  /** Seconds ahead of UTC. */
  readonly offsetSeconds: number;
}

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
/** So far ahead of UTC is the zone of the instant at which everything is started. */
const AHEAD_MS = HOUR_MS;
/** Instants are multiples of this. */
const STEP_MS = 20_000;
/** Zones are there from a quarter of an hour before the start until two hours after it. */
const SPAN_MS = { before: HOUR_MS / 4, after: 2 * HOUR_MS };

/** What is fixed when everything is started; instants are chosen when it runs. */
export interface Calendar {
  readonly localTime: string;
  readonly zones: readonly Zone[];
  /** The first instant is at least so far in the future (epoch ms), one more comes every `everyMs`. */
  plan(firstAt: number, minutes: number, everyMs: number): RunPlan;
}

export function createCalendar(now: number): Calendar {
  const wallMs = Math.ceil(now / 60_000) * 60_000 + AHEAD_MS;
  const dayStart = Math.floor(wallMs / DAY_MS) * DAY_MS;
  const today = isoDay(dayStart);
  const inSameYear = (day: string): string | null =>
    day.slice(0, 4) === today.slice(0, 4) ? day : null;
  const zoneOf = (instant: number): Zone => zoneAhead((wallMs - instant) / 1000);
  const step = (instant: number): number => Math.ceil(instant / STEP_MS) * STEP_MS;
  const farZone = zoneOf(step(now + 10 * HOUR_MS));
  const steps = (SPAN_MS.before + SPAN_MS.after) / STEP_MS;
  const zones = Array.from({ length: steps }, (_, index) =>
    zoneOf(step(now - SPAN_MS.before) + index * STEP_MS),
  );
  return {
    localTime: new Date(wallMs).toISOString().slice(11, 16),
    zones: [...zones, farZone],
    plan(firstAt, minutes, everyMs) {
      const first = step(firstAt);
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
        pastZones: [5, 7, 9].map((minutesAgo) => zoneOf(step(now - minutesAgo * 60_000))),
        farZone,
      };
    },
  };
}

function zoneAhead(offsetSeconds: number): Zone {
  const size = Math.abs(offsetSeconds);
  return { name: `Chaos/${offsetSeconds < 0 ? 'West' : 'East'}_${size}`, offsetSeconds };
}

function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Writes the tz database with these zones in it, as an operator's own file (ZONE_DATA). */
export function writeZones(path: string, zones: readonly Zone[]): void {
  const bundled = JSON.parse(readFileSync(bundledZoneData(), 'utf8')) as {
    readonly zones: readonly string[];
  };
  const packed = zones.map(({ name, offsetSeconds }) => `${name}|X|${pack(-offsetSeconds)}|0||`);
  const all = { ...bundled, version: '2099a', zones: [...bundled.zones, ...packed] };
  writeFileSync(path, JSON.stringify(all));
}

/** Minutes to the base of 60, as moment-timezone packs them. */
function pack(seconds: number): string {
  const size = Math.abs(seconds);
  const minutes = Math.floor(size / 60);
  const whole =
    minutes < 60 ? digit(minutes) : digit(Math.floor(minutes / 60)) + digit(minutes % 60);
  const rest = size % 60 === 0 ? '' : `.${digit(size % 60)}`;
  return `${seconds < 0 ? '-' : ''}${whole}${rest}`;
}

function digit(value: number): string {
  return DIGITS[value] ?? '';
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX';
