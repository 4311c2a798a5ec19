import { DAY_MS, formatCalendarDate } from '../time/calendar-date.ts';
import { keptDate } from '../time/recurrence.ts';

/** From the first instant until before the second; epoch ms. */
export interface Window {
  readonly from: number;
  readonly until: number;
}

/** The requested window; epoch ms, null where it was left open. */
export interface AskedWindow {
  readonly from: number | null;
  readonly to: number | null;
}

/** A year from any day of this month, and the days around it. */
const LONGEST_DAYS = 400;
/** Clocks differ, and a request takes a moment. */
const GRACE_MS = 60_000;

/** Returns the field at fault and the rule that a window breaks; null if it can be forecast. */
export function windowFault(
  asked: AskedWindow,
  now: number,
  longestDays = LONGEST_DAYS,
): { readonly field: 'from' | 'to'; readonly rule: string } | null {
  if (asked.from !== null && asked.from < now - GRACE_MS) {
    return { field: 'from', rule: 'must not be in the past: the audit says what was due' };
  }
  const { from, until } = forecastWindow(asked, now);
  if (until <= from) return { field: 'to', rule: 'must be after from, and in the future' };
  const isTooLong = until - from > longestDays * DAY_MS;
  return isTooLong ? { field: 'to', rule: `must be at most ${longestDays} days after from` } : null;
}

/** By default the 24 hours from now on. The past is not forecast. */
export function forecastWindow({ from, to }: AskedWindow, now: number): Window {
  const begins = Math.max(from ?? now, now);
  return { from: begins, until: to ?? begins + DAY_MS };
}

/**
 * Local clocks are up to 16 hours off, a day that a zone skipped is kept a day later, and one that
 * does not exist is kept a day before or after.
 */
export const AROUND_MS = 3 * DAY_MS;

/**
 * The nominal dates that may fall due in a window, days before included, even those that do not
 * exist.
 */
export function* nominalDatesOf(
  { from, until }: Window,
  { least, most }: { readonly least: number; readonly most: number },
): Generator<string> {
  const last = until + AROUND_MS + most * DAY_MS;
  for (let at = from - AROUND_MS + least * DAY_MS; at < last; at += DAY_MS) {
    const date = formatCalendarDate(at);
    yield date;
    const leapDay = `${date.slice(0, 4)}-02-29`;
    if (date.endsWith('-02-28') && keptDate(leapDay, 'feb28') === date) yield leapDay;
  }
}
