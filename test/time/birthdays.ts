/** Birthdays by year, for tests that compare year by year. */
import { type DateSettings, dueDatesAfter, resolveNominalDate } from '../../src/time/occurrence.ts';
import type { TzDatabase } from '../../src/time/tz-database.ts';

export interface BornAt {
  readonly dateOfBirth: string;
  readonly timezone: string;
}

export interface DateRules extends DateSettings {
  readonly tz: TzDatabase;
}

export interface Birthday {
  readonly year: number;
  readonly localDate: string;
  readonly dueAt: number;
}

export function birthdayIn(year: number, born: BornAt, { tz, ...settings }: DateRules): Birthday {
  const { timezone } = born;
  return {
    year,
    ...resolveNominalDate(nominalDateIn(year, born), { timezone, offsetDays: 0, ...settings }, tz),
  };
}

export function firstBirthdayAfter(born: BornAt, after: number, rules: DateRules): Birthday {
  const { tz, leapDayPolicy, localTime } = rules;
  const { dateOfBirth: date, timezone } = born;
  const inputs = { timezone, leapDayPolicy, localTime, offsetDays: 0 };
  const series = { date, recurrence: 'birthday', ...inputs } as const;
  for (const { nominalDate, localDate, dueAt } of dueDatesAfter(series, after, tz)) {
    return { year: Number(nominalDate.slice(0, 4)), localDate, dueAt };
  }
  throw new RangeError('There is no further birthday.');
}

export function nominalDateIn(year: number, { dateOfBirth }: BornAt): string {
  return `${String(year).padStart(4, '0')}${dateOfBirth.slice(4)}`;
}
