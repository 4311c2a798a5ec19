import { describe, expect, it } from 'vitest';

import { bothTzDatabases } from '../../test/support/tz-databases.ts';
import {
  dueDatesAfter,
  type LocalTimeInputs,
  resolveNominalDate,
  whyUnplannable,
} from './occurrence.ts';
import type { Recurrence } from './recurrence.ts';

const TOKYO = {
  timezone: 'Asia/Tokyo',
  leapDayPolicy: 'feb28',
  localTime: '09:00',
  offsetDays: 0,
} as const;
const inTokyo = { ...TOKYO, date: '1990-05-20', recurrence: 'birthday' } as const;

describe.each(bothTzDatabases)('by %s', (_name, tz) => {
  const resolve = (nominalDate: string, inputs: Partial<LocalTimeInputs> = {}) =>
    resolveNominalDate(nominalDate, { ...TOKYO, ...inputs }, tz);

  /** The nominal dates of the first due dates after an instant. */
  function datesAfter(
    inputs: LocalTimeInputs & { readonly date: string; readonly recurrence: Recurrence },
    after: number,
    count = 1,
  ): string[] {
    const found: string[] = [];
    for (const { nominalDate } of dueDatesAfter(inputs, after, tz)) {
      found.push(nominalDate);
      if (found.length === count) break;
    }
    return found;
  }

  describe('a nominal date', () => {
    it('is due at the local time, on the day that clocks show', () => {
      const dueAt = Date.parse('2026-05-20T00:00:00Z');
      expect(resolve('2026-05-20')).toEqual({ localDate: '2026-05-20', dueAt });
    });

    it('is due this many days before the day on which it is kept', () => {
      const due = (nominalDate: string, offsetDays: number) =>
        resolve(nominalDate, { offsetDays }).localDate;
      expect(due('2026-05-20', 7)).toBe('2026-05-13');
      expect(due('2026-01-01', 1)).toBe('2025-12-31');
      expect(due('2027-02-29', 366)).toBe('2026-02-27');
    });

    it('moves into the next year if its day was skipped at the end of it', () => {
      const { localDate } = resolve('1994-12-31', { timezone: 'Pacific/Kiritimati' });
      expect(localDate).toBe('1995-01-01');
    });

    it('is exact to the second in the days of local mean time', () => {
      const { dueAt } = resolve('1876-05-20', { timezone: 'America/New_York' });
      expect(new Date(dueAt).toISOString()).toBe('1876-05-20T13:56:02.000Z');
    });

    it.each(['9:00', '24:00', '09:60', '09:00:00', ''])(
      'cannot be due at %j, which is not a local time',
      (localTime) => {
        expect(() => resolve('2026-05-20', { localTime })).toThrow(RangeError);
      },
    );

    it('cannot be due in an unknown zone', () => {
      expect(() => resolve('2026-05-20', { timezone: 'Mars/Olympus' })).toThrow(RangeError);
    });
  });

  describe('the first due date after an instant', () => {
    it('is strictly after it', () => {
      const due = Date.parse('2026-05-20T00:00:00Z');
      expect(datesAfter(inTokyo, due - 1)).toEqual(['2026-05-20']);
      expect(datesAfter(inTokyo, due)).toEqual(['2027-05-20']);
    });

    it('of a birthday is never the day of birth, nor before it', () => {
      const born = { ...inTokyo, date: '2026-05-20' };
      expect(datesAfter(born, Date.parse('2026-01-01T00:00:00Z'))).toEqual(['2027-05-20']);
      expect(datesAfter(born, 0)).toEqual(['2027-05-20']);
    });

    it('comes before the day on which it is kept by the offset', () => {
      const renewal = { ...inTokyo, recurrence: 'yearly', offsetDays: 366 } as const;
      const due = Date.parse('2025-05-19T00:00:00Z');
      expect(datesAfter(renewal, due - 1)).toEqual(['2026-05-20']);
      expect(datesAfter(renewal, due)).toEqual(['2027-05-20']);
    });

    it('does not exist after the year 9999', () => {
      expect(datesAfter(inTokyo, Date.parse('9998-12-31T00:00:00Z'), 9)).toEqual(['9999-05-20']);
    });

    it('of a daily series is one a day, even where the calendar skipped one', () => {
      const daily = { ...inTokyo, recurrence: 'daily', timezone: 'Pacific/Apia' } as const;
      const after = Date.parse('2011-12-29T00:00:00Z');
      expect(datesAfter(daily, after, 3)).toEqual(['2011-12-29', '2011-12-30', '2012-01-01']);
    });

    it.each(['1990-02-30', 'yesterday', ''])('is an error for %j, which is not a date', (date) => {
      expect(() => datesAfter({ ...inTokyo, date }, 0)).toThrow(RangeError);
    });
  });

  describe('inputs that cannot be planned', () => {
    it.each(['1990-02-30', '1900-02-29', 'yesterday', ''])('have %j for a date', (date) => {
      expect(whyUnplannable({ ...inTokyo, date }, tz)).toBe(
        'The date is not a day of the calendar, written YYYY-MM-DD.',
      );
    });

    it.each(['Mars/Olympus', 'local', 'utc+3', '+05:30', 'BST', 'SystemV/EST5', 'Etc/Unknown', ''])(
      'have %j for a zone: the tz database has no such name',
      (timezone) => {
        expect(whyUnplannable({ ...inTokyo, timezone }, tz)).toContain(
          `The time zone ${JSON.stringify(timezone)} is not in`,
        );
      },
    );

    it('have an invalid rule', () => {
      const rrule = 'FREQ=DAILY;BYHOUR=9';
      expect(whyUnplannable({ ...inTokyo, rrule }, tz)).toBe(
        'The recurrence rule must not have BYHOUR: occurrences are days.',
      );
      expect(whyUnplannable({ ...inTokyo, rrule: 'FREQ=DAILY' }, tz)).toBeNull();
    });

    it('are explained without quoting all of an invalid name', () => {
      const why = whyUnplannable({ ...inTokyo, timezone: `A/${'x'.repeat(10_000)}` }, tz);
      expect(why?.length).toBeLessThan(200);
    });

    it('are not those with a link for a zone', () => {
      for (const timezone of [
        'Asia/Calcutta',
        'Europe/Kiev',
        'US/Eastern',
        'EST',
        'UTC',
        'Etc/GMT-14',
      ]) {
        expect(whyUnplannable({ ...inTokyo, timezone }, tz)).toBeNull();
      }
    });
  });
});
