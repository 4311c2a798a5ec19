import { z } from 'zod';

import type { TzDatabase } from './tz-database.ts';

export interface PackedTzDatabase extends TzDatabase {
  /** All names, in the database's spelling; a link has the changes of its zone. */
  readonly zones: ReadonlyMap<string, ZoneChanges>;
}

/** When clocks of a zone change, and their offsets before, between and after. */
export interface ZoneChanges {
  /** Epoch ms, ascending. */
  readonly changesAt: Float64Array;
  /** Ms ahead of UTC until each change, and after the last. */
  readonly offsets: Float64Array;
}

/** Thrown if a file is not usable as tz data; the message names the rule that it breaks. */
export class UnusableTzDataError extends Error {
  override readonly name = 'UnusableTzDataError';
}

/** `2026f`; after `z` come `za`, `zb`: versions compare as strings. */
export const TZ_VERSION = /^\d{4}z?[a-z]$/;

/**
 * The tz database as moment-timezone packs and publishes it (`data/packed/latest.json`), until the
 * end of 2037. All of it is unpacked at once, so that a fault is found at the start.
 *
 * @throws UnusableTzDataError
 */
export function createPackedTzDatabase(packed: unknown): PackedTzDatabase {
  const parsed = packedSchema.safeParse(packed);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const what = `${issue?.path.join('.') || 'it'}: ${issue?.message}`;
    throw new UnusableTzDataError(`not the packed data of moment-timezone: ${what}`);
  }
  const { version, links } = parsed.data;
  const zones = new Map(parsed.data.zones.map(unpackZone));
  for (const link of links) {
    const [target = '', name = ''] = link.split('|');
    const zone = zones.get(target);
    if (zone === undefined) throw new UnusableTzDataError(`links: ${link} leads to no zone`);
    zones.set(name, zone);
  }
  requireWhole(zones);
  return {
    version,
    zones,
    isKnown: (timezone) => zones.has(timezone),
    names: () => [...zones.keys()],
    offsetAt(timezone, instantMs) {
      const zone = zones.get(timezone);
      if (zone === undefined) throw new RangeError(`no time zone ${timezone.slice(0, 64)}`);
      return offsetIn(zone, withinData(instantMs));
    },
  };
}

const packedSchema = z.object({
  version: z.string().regex(TZ_VERSION, 'must be a version of the tz database, such as 2026f'),
  zones: z.array(z.string()),
  links: z.array(z.string().regex(/^[^|]+\|[^|]+$/, 'must be two names with a | between')),
});

/** `name|abbreviations|offsets|indices|changes|population`, each change in minutes since the one before. */
function unpackZone(text: string): [string, ZoneChanges] {
  const [name = '', , offsetList = '', indices = '', changeList = ''] = text.split('|');
  // The packed number is how far UTC is ahead of local clocks.
  const shown = offsetList.split(' ').map((packed) => 0 - minutesToMs(packed));
  const offsets = Float64Array.from(indices, (index) => shown[unpackNumber(index)] ?? Number.NaN);
  let sum = 0;
  const gaps = changeList === '' ? [] : changeList.split(' ');
  const changesAt = Float64Array.from(gaps, (gap) => (sum += minutesToMs(gap)));

  const isSound =
    name !== '' &&
    offsets.length === changesAt.length + 1 &&
    offsets.every((offset) => Math.abs(offset) <= FARTHEST_MS) &&
    changesAt.every((at, index) => Number.isFinite(at) && at > (changesAt[index - 1] ?? -Infinity));
  if (!isSound) throw new UnusableTzDataError(`zones: ${text.slice(0, 40)} … cannot be unpacked`);
  return [name, { changesAt, offsets }];
}

/** Manila was 15:56 behind UTC until 1844, Metlakatla 15:14 ahead until 1867. */
const FARTHEST_MS = 16 * 3_600_000;

/** Rounded to the second, the precision of the packing. */
function minutesToMs(packed: string): number {
  return Math.round(unpackNumber(packed) * 60) * 1000;
}

/** A number in base 60, with a fraction; NaN if it is not one. */
function unpackNumber(packed: string): number {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\w*)(?:\.(\w+))?$/.exec(packed) ?? [];
  if (sign === undefined || packed === '') return Number.NaN;
  const units = [...whole].reduce((sum, digit) => 60 * sum + DIGITS.indexOf(digit), 0);
  const parts = [...fraction].reduceRight((sum, digit) => (sum + DIGITS.indexOf(digit)) / 60, 0);
  return sign === '-' ? -(units + parts) : units + parts;
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/**
 * Smaller editions exist, of ten years or since 1970, which are silently wrong beyond their ends.
 */
function requireWhole(zones: ReadonlyMap<string, ZoneChanges>): void {
  const { changesAt } = zones.get('Europe/London') ?? { changesAt: [] };
  const [first, last] = [changesAt[0] ?? Number.NaN, changesAt.at(-1) ?? Number.NaN];
  if (zones.has('UTC') && first < Date.UTC(1900, 0, 1) && last >= Date.UTC(2037, 0, 1)) return;
  throw new UnusableTzDataError(
    'it must be the whole tz database, from the 19th century to 2037, as in latest.json',
  );
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
 * The data ends with 2037. Rules without an end name a weekday of a month ("the second Sunday in
 * March"), so a later year has the changes of the latest year in the data with the same weekdays
 * from March on: since 2030 there is one for each.
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

/** At UTC midnight. From March on, years differ by their weekdays only. */
function firstOfMarch(year: number): number {
  return Date.UTC(year, 2, 1);
}
