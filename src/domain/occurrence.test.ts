import { describe, expect, it } from 'vitest';

import { bothLaws } from '../../test/support/zone-laws.ts';
import { firstOccurrenceAfter, occurrenceInYear, whyUnplannable } from './occurrence.ts';
import type { DateRules } from './rules.ts';

const inTokyo = { dateOfBirth: '1990-05-20', timezone: 'Asia/Tokyo' };

describe.each(bothLaws)('by %s', (_name, law) => {
  const NINE: DateRules = { leapDayPolicy: 'feb28', localTime: '09:00', law };

  describe('an occurrence', () => {
    it('carries its nominal year and the day that clocks show', () => {
      expect(occurrenceInYear(inTokyo, 2026, NINE)).toEqual({
        year: 2026,
        localDate: '2026-05-20',
        fireAt: Date.parse('2026-05-20T00:00:00Z'),
      });
    });

    it('keeps its year when its day was skipped at the end of it', () => {
      const facts = { dateOfBirth: '1980-12-31', timezone: 'Pacific/Kiritimati' };
      expect(occurrenceInYear(facts, 1994, NINE)).toMatchObject({
        year: 1994,
        localDate: '1995-01-01',
      });
    });

    it('is exact to the second in the days of local mean time', () => {
      const facts = { dateOfBirth: '1850-05-20', timezone: 'America/New_York' };
      const { fireAt } = occurrenceInYear(facts, 1876, NINE);
      expect(new Date(fireAt).toISOString()).toBe('1876-05-20T13:56:02.000Z');
    });
  });

  describe('the first occurrence after an instant', () => {
    it('is strictly after it', () => {
      const due = Date.parse('2026-05-20T00:00:00Z');
      expect(firstOccurrenceAfter(inTokyo, due - 1, NINE).year).toBe(2026);
      expect(firstOccurrenceAfter(inTokyo, due, NINE).year).toBe(2027);
    });

    it('is never the day of birth, nor before it', () => {
      const facts = { ...inTokyo, dateOfBirth: '2026-05-20' };
      expect(firstOccurrenceAfter(facts, Date.parse('2026-01-01T00:00:00Z'), NINE).year).toBe(2027);
      expect(firstOccurrenceAfter(facts, 0, NINE).year).toBe(2027);
    });

    it('passes over years that are final', () => {
      const final = new Set([2026, 2027]);
      const after = Date.parse('2026-01-01T00:00:00Z');
      const next = firstOccurrenceAfter(inTokyo, after, NINE, (year) => final.has(year));
      expect(next.year).toBe(2028);
    });

    it('is an error where there is none, not an endless search', () => {
      expect(() => firstOccurrenceAfter(inTokyo, 0, NINE, () => true)).toThrow(RangeError);
      expect(() => firstOccurrenceAfter(inTokyo, Number.NaN, NINE)).toThrow(RangeError);
    });
  });

  describe('facts that cannot be planned', () => {
    it.each(['1990-02-30', '1900-02-29', 'yesterday', ''])(
      'have %j for a date of birth',
      (dateOfBirth) => {
        const facts = { ...inTokyo, dateOfBirth };
        expect(whyUnplannable(facts, law)).toBe(
          'The date of birth is not a day of the calendar, written YYYY-MM-DD.',
        );
        expect(() => occurrenceInYear(facts, 2026, NINE)).toThrow(RangeError);
        expect(() => firstOccurrenceAfter(facts, 0, NINE)).toThrow(RangeError);
      },
    );

    it.each(['Mars/Olympus', 'local', 'utc+3', '+05:30', 'BST', 'SystemV/EST5', 'Etc/Unknown', ''])(
      'have %j for a zone: the tz database has no such name',
      (timezone) => {
        const facts = { ...inTokyo, timezone };
        expect(whyUnplannable(facts, law)).toContain(
          `The time zone ${JSON.stringify(timezone)} is not in`,
        );
        expect(() => occurrenceInYear(facts, 2026, NINE)).toThrow(RangeError);
      },
    );

    it('are told of without all of a name that is no name', () => {
      const why = whyUnplannable({ ...inTokyo, timezone: `A/${'x'.repeat(10_000)}` }, law);
      expect(why?.length).toBeLessThan(200);
    });

    it('are not those of someone who lives by a link', () => {
      for (const timezone of [
        'Asia/Calcutta',
        'Europe/Kiev',
        'US/Eastern',
        'EST',
        'UTC',
        'Etc/GMT-14',
      ]) {
        expect(whyUnplannable({ ...inTokyo, timezone }, law)).toBeNull();
      }
    });
  });

  describe('a local time that is none', () => {
    it.each(['9:00', '24:00', '09:60', '09:00:00', ''])('such as %j is an error', (localTime) => {
      expect(() => occurrenceInYear(inTokyo, 2026, { ...NINE, localTime })).toThrow(RangeError);
    });
  });
});
