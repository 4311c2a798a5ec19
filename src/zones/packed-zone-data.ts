import { readFileSync } from 'node:fs';

import { z } from 'zod';

/** The whole tz database of one version, until the end of 2037. */
export interface PackedZoneData {
  readonly version: string;
  /** By name, in the database's spelling; a link has what its zone has. */
  readonly zones: ReadonlyMap<string, ZoneChanges>;
}

/** When clocks of a zone change, and what they show before, between and after. */
export interface ZoneChanges {
  /** Epoch ms, ascending. */
  readonly changesAt: Float64Array;
  /** Ms ahead of UTC until each change, and after the last. */
  readonly offsets: Float64Array;
}

/** Thrown when a file is not usable as zone data; the message names the rule it breaks. */
export class UnusableZoneDataError extends Error {
  override readonly name = 'UnusableZoneDataError';
}

/** `2026f`; after `z` come `za`, `zb`: versions are in the order of their letters. */
export const TZ_VERSION = /^\d{4}z?[a-z]$/;

/**
 * Reads zone data as moment-timezone packs and publishes it (`data/packed/latest.json`).
 * Everything is unpacked at once, so that a fault is found at the start and not in a year.
 *
 * @throws UnusableZoneDataError
 */
export function readPackedZoneData(path: string): PackedZoneData {
  const parsed = fileSchema.safeParse(readJson(path));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UnusableZoneDataError(`${issue?.path.join('.') || 'it'} ${issue?.message}`);
  }
  const { version, zones: packed, links } = parsed.data;
  const zones = new Map(packed.map(unpackZone));
  for (const link of links) {
    const [target = '', name = ''] = link.split('|');
    const zone = zones.get(target);
    if (zone === undefined) throw new UnusableZoneDataError(`links: ${link} leads to no zone`);
    zones.set(name, zone);
  }
  requireWhole(zones);
  return { version, zones };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new UnusableZoneDataError(`it ${reason}${code}`);
  }
}

const fileSchema = z.object(
  {
    version: z
      .string('must be a string')
      .regex(TZ_VERSION, 'must be a version of the tz database, such as 2026f'),
    zones: z.array(z.string('must be a string'), 'must be a list'),
    links: z.array(
      z.string('must be a string').regex(/^[^|]+\|[^|]+$/, 'must be two names with a | between'),
      'must be a list',
    ),
  },
  'must be the packed data of moment-timezone, an object',
);

/** `name|abbreviations|offsets|indices|changes|population`, the changes as minutes since the one before. */
function unpackZone(text: string): [string, ZoneChanges] {
  const [name = '', , offsetList = '', indices = '', changeList = ''] = text.split('|');
  // Packed is how far UTC is ahead of local clocks.
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
  if (!isSound) throw new UnusableZoneDataError(`zones: ${text.slice(0, 40)} … cannot be unpacked`);
  return [name, { changesAt, offsets }];
}

/** Manila was 15:56 behind until 1844, Metlakatla 15:14 ahead until 1867. */
const FARTHEST_MS = 16 * 3_600_000;

/** To the second, which is as exact as the packing is. */
function minutesToMs(packed: string): number {
  return Math.round(unpackNumber(packed) * 60) * 1000;
}

/** A number to the base of 60, with a fraction. NaN for what is none. */
function unpackNumber(packed: string): number {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\w*)(?:\.(\w+))?$/.exec(packed) ?? [];
  if (sign === undefined || packed === '') return Number.NaN;
  const units = [...whole].reduce((sum, digit) => 60 * sum + DIGITS.indexOf(digit), 0);
  const parts = [...fraction].reduceRight((sum, digit) => (sum + DIGITS.indexOf(digit)) / 60, 0);
  return sign === '-' ? -(units + parts) : units + parts;
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** There are smaller editions, of ten years or of since 1970: past their ends they are silently wrong. */
function requireWhole(zones: ReadonlyMap<string, ZoneChanges>): void {
  const { changesAt } = zones.get('Europe/London') ?? { changesAt: [] };
  const [first, last] = [changesAt[0] ?? Number.NaN, changesAt.at(-1) ?? Number.NaN];
  if (zones.has('UTC') && first < Date.UTC(1900, 0, 1) && last >= Date.UTC(2037, 0, 1)) return;
  throw new UnusableZoneDataError(
    'it must be the whole tz database, from the 19th century to 2037, as in latest.json',
  );
}
