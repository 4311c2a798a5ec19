import { parseCalendarDate } from './calendar-date.ts';

/**
 * Returns the rule that a text breaks as an instant in a request, or null. Even a hundred years
 * after the latest one allowed, years have four digits.
 */
export function instantFault(text: string): string | null {
  const isInstant =
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/.test(text) &&
    parseCalendarDate(text.slice(0, 10)) !== null &&
    !Number.isNaN(Date.parse(text));
  if (!isInstant)
    return 'must be an ISO 8601 instant with its offset, such as 2026-05-20T09:00:00Z';
  return text < '1600' || text >= '9900' ? 'must be from the year 1600 to 9899' : null;
}

/** Epoch ms as ISO 8601 in UTC; null stays null. */
export function isoInstant(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString();
}
