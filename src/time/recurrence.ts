/**
 * Which days a recurrence names. A nominal date is `YYYY-MM-DD` as the rule names it, even if the
 * calendar has no such day: `2027-02-29`, `2027-04-31`. Nominal dates compare as strings.
 */
import { dateToMs, DAY_MS, formatCalendarDate, twoDigits } from './calendar-date.ts';
import { namesAnyDay, ruleDateFrom } from './rrule-dates.ts';
import { parseRule, RuleError } from './rrule.ts';

/** `birthday` is `yearly`, beginning one year after the date; `rrule` follows the series' rule. */
export type Recurrence = 'once' | 'daily' | 'weekly' | 'monthly' | 'yearly' | 'birthday' | 'rrule';

/**
 * Which day replaces one that its month does not have, 29 February or another: `feb28` is the last
 * day before it, `mar1` the first one after it (RFC 7529: SKIP=BACKWARD, SKIP=FORWARD).
 */
export type LeapDayPolicy = 'feb28' | 'mar1';

/** A date that recurs. The date itself, `YYYY-MM-DD`, is a day of the calendar. */
export interface Series {
  readonly date: string;
  readonly recurrence: Recurrence;
  /** A recurrence rule of RFC 5545, from the date on (DTSTART); null or absent unless `rrule`. */
  readonly rrule?: string | null;
}

/**
 * The first nominal date on or after `from` (`YYYY-MM-DD`, which need not exist); null if there is
 * none up to the year 9999. Throws a RangeError if the date or the rule of the series is invalid.
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

/** The first nominal date after `nominalDate`; null if there is none. */
export function nominalDateAfter(series: Series, nominalDate: string): string | null {
  return nominalDateFrom(series, dayAfter(nominalDate));
}

/**
 * The fault of a recurrence rule that begins on a day, naming the part ("must not have BYHOUR:
 * occurrences are days"); null if it can be planned.
 */
export function rruleFault(rrule: string, date: string): string | null {
  try {
    const names = namesAnyDay(parseRule(rrule), date);
    return names ? null : 'must match some day: from the date on, it never does';
  } catch (error) {
    if (error instanceof RuleError) return error.fault;
    throw error;
  }
}

export function namesDate(series: Series, nominalDate: string): boolean {
  return nominalDateFrom(series, nominalDate) === nominalDate;
}

/**
 * The policy of a series: its rule's SKIP, otherwise the setting. Without SKIP, a rule names no day
 * that does not exist.
 */
export function policyOf(
  { rrule }: Pick<Series, 'rrule'>,
  leapDayPolicy: LeapDayPolicy,
): LeapDayPolicy {
  if (rrule === undefined || rrule === null) return leapDayPolicy;
  const skip = /(?:^|;)SKIP=(BACKWARD|FORWARD)(?:;|$)/i.exec(rrule)?.[1]?.toUpperCase();
  if (skip === undefined) return leapDayPolicy;
  return skip === 'FORWARD' ? 'mar1' : 'feb28';
}

/**
 * The day of the calendar, `YYYY-MM-DD`, on which a nominal date is kept. No two nominal dates of a
 * series are kept on one day: a series that names nonexistent days names one day of a month, after
 * the 28th, and so never the 1st.
 */
export function keptDate(nominalDate: string, policy: LeapDayPolicy): string {
  const { year, month, day } = partsOf(nominalDate);
  // Every month has the days up to the 28th.
  if (day <= 28) return nominalDate;
  const nextMonthMs = dateToMs({ year, month: month + 1, day: 1 });
  if (dateToMs({ year, month, day }) < nextMonthMs) return nominalDate;
  return formatCalendarDate(policy === 'mar1' ? nextMonthMs : nextMonthMs - DAY_MS);
}

const DATE = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/;

/** Cheaper than parsing: most days are before the 29th. */
function isDay(date: string): boolean {
  return DATE.test(date) && keptDate(date, 'feb28') === date;
}

/** The first on or after `from`, which is not before the date of the series. */
function findFrom({ date, recurrence, rrule }: Series, from: string): string | null {
  switch (recurrence) {
    case 'once':
      return from > date ? null : date;
    case 'daily':
      return keptDate(from, 'mar1');
    case 'weekly':
      return weekdayFrom(date, keptDate(from, 'mar1'));
    case 'monthly':
      return dayOfMonthFrom(partsOf(date).day, from);
    case 'yearly':
      return dayOfYearFrom(date.slice(4), from);
    case 'birthday':
      return dayOfYearFrom(date.slice(4), laterOf(from, dayAfter(date)));
    case 'rrule':
      return ruleDateFrom(parseRule(rrule ?? ''), date, from);
  }
}

function weekdayFrom(date: string, from: string): string {
  const dateMs = dateToMs(partsOf(date));
  const weeks = Math.ceil((dateToMs(partsOf(from)) - dateMs) / (7 * DAY_MS));
  return formatCalendarDate(dateMs + weeks * 7 * DAY_MS);
}

function dayOfMonthFrom(day: number, from: string): string {
  const { year, month, day: fromDay } = partsOf(from);
  if (fromDay <= day) return inYear(year, `-${twoDigits(month)}-${twoDigits(day)}`);
  if (month < 12) return inYear(year, `-${twoDigits(month + 1)}-${twoDigits(day)}`);
  return inYear(year + 1, `-01-${twoDigits(day)}`);
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

/** As a string to compare with: `2026-12-32` is after 31 December and before New Year. */
function dayAfter(nominalDate: string): string {
  return `${nominalDate.slice(0, 8)}${twoDigits(partsOf(nominalDate).day + 1)}`;
}

function partsOf(nominalDate: string) {
  return {
    year: Number(nominalDate.slice(0, 4)),
    month: Number(nominalDate.slice(5, 7)),
    day: Number(nominalDate.slice(8)),
  };
}
