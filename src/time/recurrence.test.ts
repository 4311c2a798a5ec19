import { describe, expect, it } from 'vitest';

import {
  keptDate,
  namesDate,
  nominalDateAfter,
  nominalDateFrom,
  policyOf,
  type Recurrence,
  type Series,
} from './recurrence.ts';

/** The first nominal dates from a day on. */
function dates(series: Series, from: string, count = 4): string[] {
  const found: string[] = [];
  let next = nominalDateFrom(series, from);
  while (next !== null && found.length < count) {
    found.push(next);
    next = nominalDateAfter(series, next);
  }
  return found;
}

describe('nominal dates', () => {
  it.each<[Recurrence, string, string, string]>([
    ['once', '2027-03-01', '2026-01-01', '2027-03-01'],
    ['once', '2027-03-01', '2027-03-01', '2027-03-01'],
    ['once', '2027-03-01', '2027-03-02', ''],
    ['daily', '2027-02-27', '2026-01-01', '2027-02-27 2027-02-28 2027-03-01 2027-03-02'],
    ['daily', '2020-01-01', '2027-12-31', '2027-12-31 2028-01-01 2028-01-02 2028-01-03'],
    ['daily', '2020-01-01', '2027-02-30', '2027-03-01 2027-03-02 2027-03-03 2027-03-04'],
    ['weekly', '2024-02-29', '2027-03-01', '2027-03-04 2027-03-11 2027-03-18 2027-03-25'],
    ['weekly', '2024-02-29', '2024-01-01', '2024-02-29 2024-03-07 2024-03-14 2024-03-21'],
    ['monthly', '2026-12-31', '2026-12-31', '2026-12-31 2027-01-31 2027-02-31 2027-03-31'],
    ['monthly', '2020-01-15', '2027-11-16', '2027-12-15 2028-01-15 2028-02-15 2028-03-15'],
    ['monthly', '2020-01-15', '2027-12-16', '2028-01-15 2028-02-15 2028-03-15 2028-04-15'],
    ['yearly', '2024-02-29', '2024-01-01', '2024-02-29 2025-02-29 2026-02-29 2027-02-29'],
    ['yearly', '1990-05-20', '2026-05-21', '2027-05-20 2028-05-20 2029-05-20 2030-05-20'],
    ['birthday', '1992-02-29', '1990-01-01', '1993-02-29 1994-02-29 1995-02-29 1996-02-29'],
    ['birthday', '2026-05-20', '2026-05-20', '2027-05-20 2028-05-20 2029-05-20 2030-05-20'],
  ])('%s from %s on, as seen on %s', (recurrence, date, from, expected) => {
    expect(dates({ date, recurrence }, from).join(' ')).toBe(expected);
  });

  it('end with the year 9999', () => {
    for (const recurrence of ['daily', 'weekly', 'monthly', 'yearly', 'birthday'] as const) {
      const series = { date: '9999-12-31', recurrence };
      expect(nominalDateAfter(series, '9999-12-31')).toBeNull();
      expect(nominalDateFrom({ ...series, date: '2020-05-20' }, '9999-12-32')).toBeNull();
    }
  });

  it.each(['1990-02-30', '1900-02-29', '1990-13-01', '1990-00-10', '1990-1-1', 'yesterday', ''])(
    'of %j are an error: it is not a day of the calendar',
    (date) => {
      expect(() => nominalDateFrom({ date, recurrence: 'yearly' }, '2026-01-01')).toThrow(
        RangeError,
      );
    },
  );
});

describe('every recurrence, against each day of eight years', () => {
  /** As people name days: from the 1st to the 31st of each month. */
  const everyDay = Array.from({ length: 8 * 12 * 31 }, (_, index) => {
    const parts = [
      Math.floor(index / 31 / 12) + 2023,
      (Math.floor(index / 31) % 12) + 1,
      (index % 31) + 1,
    ];
    return parts.map((part) => String(part).padStart(2, '0')).join('-');
  });
  const exists = (text: string) =>
    !Number.isNaN(Date.parse(text)) &&
    new Date(Date.parse(`${text}T00:00:00Z`)).toISOString().startsWith(text);
  const named: Record<Exclude<Recurrence, 'rrule'>, (date: string, day: string) => boolean> = {
    once: (date, day) => day === date,
    daily: (date, day) => day >= date && exists(day),
    weekly: (date, day) =>
      day >= date && exists(day) && (Date.parse(day) - Date.parse(date)) % 604_800_000 === 0,
    monthly: (date, day) => day >= date && day.slice(8) === date.slice(8),
    yearly: (date, day) => day >= date && day.slice(5) === date.slice(5),
    birthday: (date, day) => day > date && day.slice(5) === date.slice(5),
  };
  const recurrences = Object.keys(named) as (keyof typeof named)[];
  const someDates = [
    '1904-01-31',
    '2023-01-01',
    '2024-01-30',
    '2024-02-29',
    '2025-12-31',
    '2026-05-15',
  ];

  it.each(recurrences)('names exactly those that it should: %s', (recurrence) => {
    for (const date of someDates) {
      const series = { date, recurrence };
      const expected = everyDay.filter((day) => named[recurrence](date, day));
      expect(everyDay.filter((day) => namesDate(series, day))).toEqual(expected);
      expect(dates(series, '2023-01-01', expected.length)).toEqual(expected);
    }
  });

  it.each(recurrences)('finds the first one from any day on: %s', (recurrence) => {
    for (const date of someDates) {
      const expected = everyDay.filter((day) => named[recurrence](date, day));
      const days = everyDay.slice(0, -372);
      const found = days.map((day) => nominalDateFrom({ date, recurrence }, day));
      let place = 0;
      const first = days.map((day) => {
        while (place < expected.length && String(expected[place]) < day) place += 1;
        return expected[place] ?? null;
      });
      expect(found).toEqual(first);
    }
  });

  it.each(['feb28', 'mar1'] as const)('keeps no two on one day, in order: %s', (policy) => {
    for (const recurrence of recurrences) {
      for (const date of someDates) {
        const kept = dates({ date, recurrence }, '2023-01-01', 400).map((day) =>
          keptDate(day, policy),
        );
        expect(kept).toEqual([...new Set(kept)].toSorted());
        expect(kept.every(exists)).toBe(true);
      }
    }
  });
});

describe('a day that does not exist', () => {
  it('goes where the rule says, or else where the setting says', () => {
    expect(policyOf({}, 'mar1')).toBe('mar1');
    expect(policyOf({ rrule: null }, 'feb28')).toBe('feb28');
    expect(policyOf({ rrule: 'FREQ=MONTHLY;SKIP=BACKWARD' }, 'mar1')).toBe('feb28');
    expect(policyOf({ rrule: 'skip=forward;FREQ=MONTHLY' }, 'feb28')).toBe('mar1');
    expect(policyOf({ rrule: 'FREQ=MONTHLY;SKIP=OMIT' }, 'mar1')).toBe('mar1');
  });

  it.each([
    ['2027-02-29', '2027-02-28', '2027-03-01'],
    ['2028-02-29', '2028-02-29', '2028-02-29'],
    ['2100-02-29', '2100-02-28', '2100-03-01'],
    ['2000-02-29', '2000-02-29', '2000-02-29'],
    ['2027-02-31', '2027-02-28', '2027-03-01'],
    ['2028-02-31', '2028-02-29', '2028-03-01'],
    ['2027-04-31', '2027-04-30', '2027-05-01'],
    ['2027-12-31', '2027-12-31', '2027-12-31'],
  ])('is moved: %s to %s or %s', (nominalDate, backward, forward) => {
    expect(keptDate(nominalDate, 'feb28')).toBe(backward);
    expect(keptDate(nominalDate, 'mar1')).toBe(forward);
  });
});
