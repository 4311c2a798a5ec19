/** A day of the proleptic Gregorian calendar, which is ISO 8601's and the tz database's. */
export interface CalendarDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
}

export const DAY_MS = 86_400_000;

/** Parses `YYYY-MM-DD`; null if it has another form or does not exist (30 February). */
export function parseCalendarDate(text: string): CalendarDate | null {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (parts === null) return null;
  const date = { year: Number(parts[1]), month: Number(parts[2]), day: Number(parts[3]) };
  return formatCalendarDate(dateToMs(date)) === text ? date : null;
}

/** `YYYY-MM-DD` of an instant (epoch ms), in UTC. */
export function formatCalendarDate(ms: number): string {
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  // Planning formats many days, and `toISOString` takes five times as long.
  if (year >= 1000 && year <= 9999)
    return `${year}-${twoDigits(date.getUTCMonth() + 1)}-${twoDigits(date.getUTCDate())}`;
  return date.toISOString().slice(0, 10);
}

/** UTC midnight of a day, epoch ms. */
export function dateToMs(date: CalendarDate): number {
  // Not Date.UTC, which takes the years 0 to 99 as 1900 to 1999.
  return new Date(0).setUTCFullYear(date.year, date.month - 1, date.day);
}

export function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
