import type { LeapDayPolicy } from './rules.ts';

/** A day of the proleptic Gregorian calendar, which is ISO 8601's and the tz database's. */
export interface CalendarDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
}

export const DAY_MS = 86_400_000;

/** Reads `YYYY-MM-DD`; null when it is not written so, or is no day (30 February). */
export function parseCalendarDate(text: string): CalendarDate | null {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (parts === null) return null;
  const date = { year: Number(parts[1]), month: Number(parts[2]), day: Number(parts[3]) };
  return formatCalendarDate(dateToMs(date)) === text ? date : null;
}

/** `YYYY-MM-DD` of an instant, read in UTC. */
export function formatCalendarDate(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** UTC midnight of a day, epoch ms. */
export function dateToMs(date: CalendarDate): number {
  // Not Date.UTC: it takes the years 0 to 99 for 1900 to 1999.
  return new Date(0).setUTCFullYear(date.year, date.month - 1, date.day);
}

/** The day on which an anniversary of `anchor` is kept in `year`. */
export function anniversaryIn(
  year: number,
  anchor: CalendarDate,
  leapDayPolicy: LeapDayPolicy,
): CalendarDate {
  if (!isLeapDay(anchor) || isLeapYear(year)) {
    return { year, month: anchor.month, day: anchor.day };
  }
  return leapDayPolicy === 'feb28' ? { year, month: 2, day: 28 } : { year, month: 3, day: 1 };
}

/** Whether it is a 29 February, a day that only leap years have. */
export function isLeapDay(date: CalendarDate): boolean {
  return date.month === 2 && date.day === 29;
}

export function isLeapYear(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}
