/**
 * Which days a recurrence names. A nominal date is `YYYY-MM-DD` as the rule names it, also where
 * the calendar has no such day: `2027-02-29`, `2027-04-31`. Nominal dates of one series compare
 * as strings.
 */
import { dateToMs, DAY_MS, formatCalendarDate } from '../domain/calendar-date.ts';
import type { LeapDayPolicy } from '../domain/rules.ts';

/** `birthday` is `yearly` that begins one year after the date. */
export type Recurrence = 'once' | 'daily' | 'weekly' | 'monthly' | 'yearly' | 'birthday';

/** Where a day goes that its month does not have: the last one before it, or the first one after it. */
export type MissingDayPolicy = 'backward' | 'forward';

/** A date that recurs. The date itself, `YYYY-MM-DD`, is a day of the calendar. */
export interface Series {
  readonly date: string;
  readonly recurrence: Recurrence;
}

/**
 * The first nominal date on or after `from` (`YYYY-MM-DD`, of a day that need not exist); null
 * when there is none up to the year 9999. Throws a RangeError when the series has no date.
 */
export function nominalDateFrom(series: Series, from: string): string | null {
  if (!isDay(series.date)) {
    throw new RangeError('The date is not a day of the calendar, written YYYY-MM-DD.');
  }
  const first = laterOf(series.date, from);
  if (first > LAST_DAY) return null;
  const nominalDate = findFrom(series, first);
  return nominalDate === null || isBeyondLastYear(nominalDate) ? null : nominalDate;
}

/** The first nominal date after `nominalDate`; null when there is none. */
export function nominalDateAfter(series: Series, nominalDate: string): string | null {
  return nominalDateFrom(series, dayAfter(nominalDate));
}

/** Whether the series names this day. */
export function namesDate(series: Series, nominalDate: string): boolean {
  return nominalDateFrom(series, nominalDate) === nominalDate;
}

/**
 * The day of the calendar, `YYYY-MM-DD`, on which a nominal date is kept. Two nominal dates of one
 * series are never kept on the same day: only a series that names one day of a month, after the
 * 28th, names days that do not exist, and the 1st is no day of such a series.
 */
export function keptDate(nominalDate: string, policy: MissingDayPolicy): string {
  const { year, month, day } = partsOf(nominalDate);
  // The days up to the 28th are in every month.
  if (day <= 28) return nominalDate;
  const nextMonthMs = dateToMs({ year, month: month + 1, day: 1 });
  const dayMs = dateToMs({ year, month, day });
  if (dayMs < nextMonthMs) return nominalDate;
  return formatCalendarDate(policy === 'forward' ? nextMonthMs : nextMonthMs - DAY_MS);
}

/** The setting's words for a leap day, as they hold for every missing day. */
export function missingDayPolicy(leapDayPolicy: LeapDayPolicy): MissingDayPolicy {
  return leapDayPolicy === 'feb28' ? 'backward' : 'forward';
}

const DATE = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/;

/** Cheaper than reading it: most days are before the 29th. */
function isDay(date: string): boolean {
  return DATE.test(date) && keptDate(date, 'backward') === date;
}

/** The first on or after `from`, which is not before the series' date. */
function findFrom({ date, recurrence }: Series, from: string): string | null {
  switch (recurrence) {
    case 'once':
      return from > date ? null : date;
    case 'daily':
      return keptDate(from, 'forward');
    case 'weekly':
      return weekdayFrom(date, keptDate(from, 'forward'));
    case 'monthly':
      return dayOfMonthFrom(partsOf(date).day, from);
    case 'yearly':
      return dayOfYearFrom(date.slice(4), from);
    case 'birthday':
      return dayOfYearFrom(date.slice(4), laterOf(from, dayAfter(date)));
  }
}

function weekdayFrom(date: string, from: string): string {
  const [dateMs, fromMs] = [date, from].map((text) => dateToMs(partsOf(text))) as [number, number];
  const weeks = Math.ceil((fromMs - dateMs) / (7 * DAY_MS));
  return formatCalendarDate(dateMs + weeks * 7 * DAY_MS);
}

function dayOfMonthFrom(day: number, from: string): string {
  const { year, month, day: fromDay } = partsOf(from);
  const isNextMonth = fromDay > day;
  const isNextYear = isNextMonth && month === 12;
  const inMonth = isNextYear ? 1 : month + (isNextMonth ? 1 : 0);
  return inYear(year + (isNextYear ? 1 : 0), `-${two(inMonth)}-${two(day)}`);
}

function dayOfYearFrom(monthAndDay: string, from: string): string {
  const { year } = partsOf(from);
  return inYear(from.slice(4) > monthAndDay ? year + 1 : year, monthAndDay);
}

function inYear(year: number, monthAndDay: string): string {
  return `${String(year).padStart(4, '0')}${monthAndDay}`;
}

/** Years have four digits, in ISO 8601 and in keys. */
const LAST_DAY = '9999-12-31';

function isBeyondLastYear(date: string): boolean {
  return date.length > 10 || date.startsWith('+');
}

function laterOf(one: string, other: string): string {
  return one > other ? one : other;
}

/** As a text that compares: `2026-12-32` is after 31 December and before New Year. */
function dayAfter(nominalDate: string): string {
  return `${nominalDate.slice(0, 8)}${two(partsOf(nominalDate).day + 1)}`;
}

function partsOf(nominalDate: string) {
  return {
    year: Number(nominalDate.slice(0, 4)),
    month: Number(nominalDate.slice(5, 7)),
    day: Number(nominalDate.slice(8)),
  };
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
