/**
 * What a user's fields may hold. Each rule takes a value and gives the rule that it
 * breaks, in words that follow the field's name, or null.
 */
import { formatCalendarDate, parseCalendarDate } from '../time/calendar-date.ts';
import { lengthFault, textFault } from '../platform/text.ts';
import type { TzDatabase } from '../time/tz-database.ts';

/** Longer than any name on record; it bounds the greeting. */
export const NAME_MAX = 100;
export const EXTERNAL_ID_MAX = 200;
/** Address books write 1604 for a birthday without a year, so it has to be later than this. */
export const EARLIEST_DATE = '1600-01-01';

/** A first or last name, kept as sent. */
export function nameFault(name: string): string | null {
  return lengthFault(name, NAME_MAX) ?? textFault(name);
}

/** A first name: also, something of it must be seen. */
export function firstNameFault(name: string): string | null {
  return nameFault(name) ?? (SOMETHING_VISIBLE.test(name) ? null : 'must not be blank');
}

/** The caller's own id of a user. */
export function externalIdFault(externalId: string): string | null {
  if (externalId === '') return 'must not be empty; null or leaving it out means none';
  return lengthFault(externalId, EXTERNAL_ID_MAX) ?? textFault(externalId);
}

/** A day that has already begun somewhere on Earth at `now`; {@link bornInFuture} is exact. */
export function dateOfBirthFault(date: string, now: number): string | null {
  if (parseCalendarDate(date) === null) return 'must be a date of the calendar, as YYYY-MM-DD';
  if (date < EARLIEST_DATE) return `must not be before ${EARLIEST_DATE}`;
  return date > formatCalendarDate(now + EASTERNMOST_OFFSET_MS) ? IN_FUTURE : null;
}

export const IN_FUTURE = "must not be in the future in the user's own time zone";

/**
 * Whether the day has not yet begun at `now` (epoch ms) in a zone. Of a zone that is not
 * known here (an old user's) nothing is said.
 */
export function bornInFuture(
  { dateOfBirth, timezone }: { readonly dateOfBirth: string; readonly timezone: string },
  now: number,
  tz: TzDatabase,
): boolean {
  if (!tz.isKnown(timezone)) return false;
  return dateOfBirth > formatCalendarDate(now + tz.offsetAt(timezone, now));
}

/**
 * A zone of the tz database: a name with a `/` that the tz database in use knows, links such as
 * `Asia/Calcutta` included, or `UTC`. `EST` or `+05:30` say an offset, not where
 * somebody lives. Others who read the name do not ignore its case: the spelling must be
 * the database's.
 */
export function timezoneFault(zone: string, tz: TzDatabase): string | null {
  if (zone === 'UTC') return null;
  if (!ZONE_NAME.test(zone))
    return 'must be an IANA time zone with a "/", such as Europe/Berlin, or UTC';
  if (tz.isKnown(zone)) return null;
  return tz.isMisspelt(zone)
    ? 'must be spelt as the IANA time zone is, such as Europe/Berlin'
    : 'must be an IANA time zone known to this installation';
}

const ZONE_NAME = /^[A-Za-z]+(?:\/[A-Za-z0-9_+-]+)+$/;

const SOMETHING_VISIBLE = /[^\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/u;

const EASTERNMOST_OFFSET_MS = 14 * 3_600_000;
