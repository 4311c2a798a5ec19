import { DAY_MS, formatCalendarDate } from '../time/calendar-date.ts';
import { keptDate, type LeapDayPolicy } from '../time/recurrence.ts';

/** From the first instant until before the second; epoch ms. */
export interface Window {
  readonly from: number;
  readonly until: number;
}

/** What was asked for; epoch ms, null where it was left open. */
export interface AskedWindow {
  readonly from: number | null;
  readonly to: number | null;
}

/** A day: what an operator looks at in the morning. */
const DEFAULT_LENGTH_MS = DAY_MS;
/** A year from any day of this month, and the days around it. */
const LONGEST_DAYS = 400;
/** Clocks differ, and a request takes a moment. */
const GRACE_MS = 60_000;

/** The rules that a window breaks, by field. */
export function windowFaults(
  asked: AskedWindow,
  now: number,
): { readonly field: 'from' | 'to'; readonly rule: string }[] {
  if (asked.from !== null && asked.from < now - GRACE_MS) {
    return [{ field: 'from', rule: 'must not be in the past: the audit says what was due' }];
  }
  const { from, until } = forecastWindow(asked, now);
  if (until <= from) return [{ field: 'to', rule: 'must be after from, and in the future' }];
  const isTooLong = until - from > LONGEST_DAYS * DAY_MS;
  return isTooLong
    ? [{ field: 'to', rule: `must be at most ${LONGEST_DAYS} days after from` }]
    : [];
}

/** By default from now on, for a day. What has passed is not forecast. */
export function forecastWindow({ from, to }: AskedWindow, now: number): Window {
  const begins = Math.max(from ?? now, now);
  return { from: begins, until: to ?? begins + DEFAULT_LENGTH_MS };
}

/** Month and day as one number: 229 is 29 February. */
export type MonthDay = number;

/** Days of a yearly date that may fall due in a window, by nominal year. */
export interface NominalDays {
  readonly year: number;
  readonly monthDays: readonly MonthDay[];
}

/**
 * All of them, in pages of a week: a statement over many millions of users stays within its
 * time limit, and other work of the process waits for no more than a week's zones.
 */
export function nominalDaysOf(window: Window, leapDayPolicy: LeapDayPolicy): NominalDays[] {
  // Local clocks are up to 16 hours off; a day that a zone skipped is kept a day later.
  const first = Math.floor(window.from / DAY_MS) - 2;
  const last = Math.floor(window.until / DAY_MS) + 1;
  const byYear = new Map<number, MonthDay[]>();
  for (let day = first; day <= last; day += 1) {
    const date = formatCalendarDate(day * DAY_MS);
    const year = Number(date.slice(0, 4));
    const days = byYear.get(year) ?? [];
    days.push(Number(date.slice(5, 7)) * 100 + Number(date.slice(8)));
    if (isLeapDayKeptOn(date, year, leapDayPolicy)) days.push(229);
    byYear.set(year, days);
  }
  return [...byYear].flatMap(([year, days]) => inPages(year, days));
}

const PAGE_DAYS = 7;

function inPages(year: number, days: readonly MonthDay[]): NominalDays[] {
  return Array.from({ length: Math.ceil(days.length / PAGE_DAYS) }, (_, page) => ({
    year,
    monthDays: days.slice(page * PAGE_DAYS, (page + 1) * PAGE_DAYS),
  }));
}

function isLeapDayKeptOn(date: string, year: number, policy: LeapDayPolicy): boolean {
  const leapDay = `${year}-02-29`;
  return date !== leapDay && keptDate(leapDay, policy) === date;
}
