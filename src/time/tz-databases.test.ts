// @module-tag long
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { describe, expect, it } from 'vitest';

import { bothTzDatabases, bundledTz } from '../../test/support/tz-databases.ts';
import type { TzDatabase } from './tz-database.ts';

const HOUR = 3_600_000;

describe.each(bothTzDatabases)('%s', (_name, tz) => {
  it('has a version of the tz database', () => {
    expect(tz.version).toMatch(/^20\d\d[a-z]$/);
  });

  it.each(['Europe/Berlin', 'Asia/Calcutta', 'Etc/GMT-14', 'UTC', 'EST', 'NZ-CHAT', 'GB-Eire'])(
    'knows %s',
    (timezone) => {
      expect(tz.isKnown(timezone)).toBe(true);
    },
  );

  it.each(['europe/Berlin', 'Asia/CALCUTTA', 'ASIA/Calcutta', 'Europe/berlin', 'etc/utc'])(
    'does not know %s, which is misspelt',
    (timezone) => expect(tz.isKnown(timezone)).toBe(false),
  );

  it.each(['utc', 'Utc', 'Gmt', 'gmt0', 'Est', 'Est5Edt', 'JAPAN', 'Gb', 'gb-Eire', 'Prc', 'W-Su'])(
    'does not know %s, which is misspelt without a slash',
    (timezone) => expect(tz.isKnown(timezone)).toBe(false),
  );

  it('knows the names that it offers to choose from', () => {
    expect(tz.names().length).toBeGreaterThan(400);
    expect(tz.names()).toContain('UTC');
    expect(tz.names().filter((timezone) => !tz.isKnown(timezone))).toEqual([]);
  });

  it.each(['Mars/Olympus', 'BST', '+05:30', 'constructor', '__proto__', '', 'Europe/Berlin '])(
    'does not know %j',
    (timezone) => {
      expect(tz.isKnown(timezone)).toBe(false);
      expect(() => tz.offsetAt(timezone, 0)).toThrow(RangeError);
    },
  );

  it('knows local mean time to the second', () => {
    const noon1870 = Date.UTC(1870, 0, 1, 12);
    expect(tz.offsetAt('America/New_York', noon1870)).toBe(-(4 * HOUR + 56 * 60_000 + 2_000));
    expect(tz.offsetAt('Europe/Paris', noon1870)).toBe(9 * 60_000 + 21_000);
  });

  it('is at the new time from the exact ms of a change', () => {
    const change = Date.UTC(2026, 2, 29, 1);
    expect(tz.offsetAt('Europe/Berlin', change - 1)).toBe(HOUR);
    expect(tz.offsetAt('Europe/Berlin', change)).toBe(2 * HOUR);
  });

  it('continues for ever', () => {
    // The second Sunday in March and the first in November, until they are changed.
    for (const [before, change] of [
      [-5, Date.UTC(2600, 2, 9, 7)],
      [-4, Date.UTC(2600, 10, 2, 6)],
    ] as const) {
      expect(tz.offsetAt('America/New_York', change - 1)).toBe(before * HOUR);
      expect(tz.offsetAt('America/New_York', change)).not.toBe(before * HOUR);
    }
    expect(tz.offsetAt('Asia/Tokyo', Date.UTC(9999, 11, 31))).toBe(9 * HOUR);
  });

  it('does not remember unknown names', () => {
    askForMany(tz, 0);
    const before = heapUsed();
    for (const round of [1, 2, 3]) askForMany(tz, round);
    // 6,000 names of 400 bytes, and 3,000 short ones, would be 2.4 MB at least.
    expect(heapUsed() - before).toBeLessThan(1_000_000);
  });
});

describe('the bundled tz database after its data ends', () => {
  it('handles any later year like one with the same weekdays', () => {
    const sundays = [2038, 2044, 2060, 2099, 2100, 2104].map((year) => {
      const last = new Date(Date.UTC(year, 3, 0, 1));
      last.setUTCDate(last.getUTCDate() - last.getUTCDay());
      return last.getTime();
    });
    for (const change of sundays) {
      expect(bundledTz.offsetAt('Europe/Berlin', change - 1)).toBe(HOUR);
      expect(bundledTz.offsetAt('Europe/Berlin', change)).toBe(2 * HOUR);
    }
  });

  it('keeps summer over New Year in the south', () => {
    for (const year of [2037, 2038, 2039, 2052]) {
      expect(bundledTz.offsetAt('Australia/Sydney', Date.UTC(year, 0, 15))).toBe(11 * HOUR);
      expect(bundledTz.offsetAt('Australia/Sydney', Date.UTC(year, 1, 28))).toBe(11 * HOUR);
      expect(bundledTz.offsetAt('Australia/Sydney', Date.UTC(year, 5, 15))).toBe(10 * HOUR);
    }
  });
});

/** Unknown names, and a known one in one of many cases. */
function askForMany(tz: TzDatabase, round: number): void {
  for (let index = 0; index < 1_000; index += 1) {
    tz.isKnown(`Nowhere/${round}${'x'.repeat(400)}${index}`);
    const letters = [...'asia/ho_chi_minh'].map((letter, bit) =>
      index & (1 << bit) ? letter.toUpperCase() : letter,
    );
    tz.isKnown(letters.join(''));
  }
}

/** Bytes, after garbage collection. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}
