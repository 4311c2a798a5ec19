/**
 * Zones that exist for a test alone, each a fixed number of seconds ahead of UTC: so it is the
 * local time somewhere every 20 seconds, and no test waits for a full minute. No clock is set.
 */
import { dirname, join } from 'node:path';

import { writeTzDataTo } from './tz-data-files.ts';

export interface Zone {
  readonly name: string;
  /** Seconds ahead of UTC. */
  readonly offsetSeconds: number;
}

export interface InstantZones {
  /** For DELIVERY_LOCAL_TIME. */
  readonly localTime: string;
  /** That local time on the day in all of these zones, as if it were in UTC, epoch ms. */
  readonly wallMs: number;
  readonly zones: readonly Zone[];
  /** The zone in which it is the local time at an instant, a whole second. */
  zoneOf(instant: number): Zone;
  /** The first instant from then on (epoch ms) that has a zone here. */
  instantFrom(at: number): number;
}

/** Future instants, each with a zone in which users born on this day are greeted at it. */
export interface DueInstants {
  /** The settings for that, for every process. */
  readonly settings: { readonly ZONE_DATA: string; readonly DELIVERY_LOCAL_TIME: string };
  readonly dateOfBirth: string;
  /** A date of birth whose day is this many days after that one. */
  dateOfBirthIn(days: number): string;
  /** The first one at least this far away: up to 20 s further. */
  next(leadMs: number): DueInstant;
}

export interface DueInstant {
  /** Epoch ms. */
  readonly at: number;
  readonly timezone: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The zone of the instant at which everything is started is this far ahead of UTC. */
const AHEAD_MS = HOUR_MS;
/** Instants are multiples of this. */
const STEP_MS = 20_000;
/** Zones exist from a quarter of an hour before the start until two hours after it. */
const SPAN_MS = { before: HOUR_MS / 4, after: 2 * HOUR_MS };

export function createInstantZones(now: number): InstantZones {
  const wallMs = Math.ceil(now / 60_000) * 60_000 + AHEAD_MS;
  const zoneOf = (instant: number): Zone => zoneAhead((wallMs - instant) / 1000);
  const instantFrom = (at: number): number => Math.ceil(at / STEP_MS) * STEP_MS;
  const steps = (SPAN_MS.before + SPAN_MS.after) / STEP_MS;
  return {
    localTime: new Date(wallMs).toISOString().slice(11, 16),
    wallMs,
    zones: Array.from({ length: steps }, (_, index) =>
      zoneOf(instantFrom(now - SPAN_MS.before) + index * STEP_MS),
    ),
    zoneOf,
    instantFrom,
  };
}

/**
 * Chosen when everything runs, however long the start took.
 *
 * @param beside a path, beside which the zones are written, in a folder that goes with the test
 */
export function dueInstants(beside: string): DueInstants {
  const { zones, localTime, wallMs, instantFrom, zoneOf } = createInstantZones(Date.now());
  const path = join(dirname(beside), 'zones.json');
  writeZones(path, zones);
  // A leap year, so that every day of the year exists.
  const dateOfBirthIn = (days: number): string =>
    `1992${new Date(wallMs + days * DAY_MS).toISOString().slice(4, 10)}`;
  return {
    settings: { ZONE_DATA: path, DELIVERY_LOCAL_TIME: localTime },
    dateOfBirth: dateOfBirthIn(0),
    dateOfBirthIn,
    next(leadMs) {
      const at = instantFrom(Date.now() + leadMs);
      return { at, timezone: zoneOf(at).name };
    },
  };
}

function zoneAhead(offsetSeconds: number): Zone {
  const size = Math.abs(offsetSeconds);
  return { name: `Test/${offsetSeconds < 0 ? 'West' : 'East'}_${size}`, offsetSeconds };
}

/** Writes the tz database with these zones in it, as an operator's own file (ZONE_DATA). */
export function writeZones(path: string, zones: readonly Zone[]): void {
  const packed = zones.map(({ name, offsetSeconds }) => `${name}|X|${pack(-offsetSeconds)}|0||`);
  writeTzDataTo(path, '2099a', ({ zones: bundled, links }) => ({
    zones: [...bundled, ...packed],
    links,
  }));
}

/** Minutes in base 60, as moment-timezone packs them. */
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
