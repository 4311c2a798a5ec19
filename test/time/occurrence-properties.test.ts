// @module-tag long
import { describe, expect, it } from 'vitest';

import { whyUnplannable } from '../../src/time/occurrence.ts';
import { bundledTz, nodeTz } from '../support/tz-databases.ts';
import { birthdayIn } from './birthdays.ts';
import { createIntlOracle, createOracle } from './intl-oracle.ts';
import { checkAgainstOracle, checkOrder, dayAt, zoneNames } from './occurrence-properties.ts';

/**
 * Other tests compare the bundled data with Intl's: here the rule is checked against a second
 * version.
 */
const databases = [
  ["Node's tz database", nodeTz, createIntlOracle()],
  ['the bundled tz database', bundledTz, createOracle(bundledTz.offsetAt)],
] as const;

/** One of all names that have the same clocks. */
const differentZones = zoneNames.filter(
  (name, index) =>
    !bundledTz.isKnown(name) ||
    index ===
      zoneNames.findIndex((other) => bundledTz.zones.get(other) === bundledTz.zones.get(name)),
);

describe.each(databases)(
  'the occurrence rule by %s, against every instant that clocks show',
  (_name, tz, oracle) => {
    const NINE = { leapDayPolicy: 'feb28', localTime: '09:00', tz } as const;

    it('holds on any day, in any zone or link, at any local time', () => {
      expect(checkAgainstOracle({ tz, oracle, numRuns: 1500 })).toBe(1500);
    });

    it('gives the first occurrence after an instant, then one for each nominal year', () => {
      expect(checkOrder({ tz, oracle, numRuns: 400 })).toBe(400);
    });

    it('knows every name of the tz database, and every zone of this Node', () => {
      expect(zoneNames.length).toBeGreaterThanOrEqual(597);
      const unknown = zoneNames.filter(
        (timezone) => whyUnplannable({ date: '1990-05-20', timezone }, tz) !== null,
      );
      expect(unknown).toEqual([]);
    });

    it('holds in every zone and link, in winter and summer, then and now', () => {
      for (const timezone of zoneNames) {
        for (const day of ['1890-02-11', '1943-07-12', '1975-01-01', '2026-01-15', '2026-07-15']) {
          for (const year of [Number(day.slice(0, 4)) + 1, 2049]) {
            const facts = { dateOfBirth: day, timezone };
            const expected = oracle.occurrenceInYear(facts, year, NINE).dueAt;
            expect(birthdayIn(year, facts, NINE).dueAt, `${timezone} ${day} ${year}`).toBe(
              expected,
            );
          }
        }
      }
    });

    it('holds before, within and after every change of clocks from 2024 to 2030', () => {
      const kinds = new Map<string, number>();
      for (const timezone of differentZones) {
        const [from, until] = [Date.UTC(2024, 0, 1), Date.UTC(2031, 0, 1)];
        for (const change of oracle.changesBetween(timezone, from, until, 8 * 86_400_000)) {
          const before = change + oracle.offsetAt(timezone, change - 1);
          const after = change + oracle.offsetAt(timezone, change);
          for (const wallMs of [before - 60_000, (before + after) / 2, after]) {
            const { facts, year, rules } = dayAt(timezone, wallMs, 30, NINE);
            const expected = oracle.occurrenceInYear(facts, year, rules);
            kinds.set(expected.kind, (kinds.get(expected.kind) ?? 0) + 1);
            const found = birthdayIn(year, facts, rules).dueAt;
            expect(found, `${timezone} ${new Date(wallMs).toISOString()}`).toBe(expected.dueAt);
          }
        }
      }
      for (const kind of ['unique', 'repeated', 'missing_time']) {
        expect(kinds.get(kind)).toBeGreaterThan(500);
      }
    });

    it('moves every local day that was ever skipped to the next existing day', () => {
      const skipped = new Set<string>();
      for (const timezone of differentZones) {
        const [from, until] = [Date.UTC(1840, 0, 1), Date.UTC(2030, 0, 1)];
        for (const change of oracle.changesBetween(timezone, from, until, 60 * 86_400_000)) {
          const before = change + oracle.offsetAt(timezone, change - 1);
          const jump = oracle.offsetAt(timezone, change) - oracle.offsetAt(timezone, change - 1);
          if (jump < 86_400_000) continue;
          for (const hour of [0, 9, 12, 23.5]) {
            const { facts, year, rules } = dayAt(timezone, before + hour * 3_600_000, 30, NINE);
            const expected = oracle.occurrenceInYear(facts, year, rules);
            expect(expected.kind, `${timezone} ${year}`).toBe('missing_day');
            const found = birthdayIn(year, facts, rules);
            expect(found.dueAt, `${timezone} ${year}`).toBe(expected.dueAt);
          }
          skipped.add(timezone);
        }
      }
      expect(skipped).toContain('Pacific/Kiritimati');
      expect(skipped).toContain('Asia/Manila');
      expect(skipped.size).toBeGreaterThan(5);
    });
  },
);
