/** The rules of a user's fields. Each returns the rule that a value breaks, as a fault says it, or null. */
import { formatCalendarDate, parseCalendarDate } from '../time/calendar-date.ts';
import { lengthFault, textFault } from '../platform/text.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { InvalidInputError } from './errors.ts';

/** In code points: more than real names need, and it bounds the webhook's body. */
export const NAME_MAX = 100;
export const EXTERNAL_ID_MAX = 200;
/** Early enough for 1604, which address books write for a birthday without a year. */
export const EARLIEST_DATE = '1600-01-01';

/** A first or last name, kept as sent. */
export function nameFault(name: string): string | null {
  return lengthFault(name, NAME_MAX) ?? textFault(name);
}

/** Unlike a last name, it must not be blank. */
export function firstNameFault(name: string): string | null {
  return nameFault(name) ?? (SOMETHING_VISIBLE.test(name) ? null : 'must not be blank');
}

export function externalIdFault(externalId: string): string | null {
  if (externalId === '') return 'must not be empty; null or leaving it out means none';
  return lengthFault(externalId, EXTERNAL_ID_MAX) ?? textFault(externalId);
}

/** Allows a day that has begun anywhere on Earth at `now`; {@link bornInFuture} is exact. */
export function dateOfBirthFault(date: string, now: number): string | null {
  if (parseCalendarDate(date) === null) return 'must be a calendar date, as YYYY-MM-DD';
  if (date < EARLIEST_DATE) return `must not be before ${EARLIEST_DATE}`;
  return date > formatCalendarDate(now + EASTERNMOST_OFFSET_MS) ? IN_FUTURE : null;
}

const IN_FUTURE = "must not be in the future in the user's own time zone";

/**
 * The one rule over two fields: nobody is born on a day that has not yet begun where they live.
 *
 * @throws InvalidInputError that names `field`
 */
export function refuseUnborn(
  user: { readonly dateOfBirth: string; readonly timezone: string },
  now: number,
  tz: TzDatabase,
  field: 'dateOfBirth' | 'timezone' = 'dateOfBirth',
): void {
  if (!bornInFuture(user, now, tz)) return;
  const rule = field === 'dateOfBirth' ? IN_FUTURE : 'must not put the date of birth in the future';
  throw new InvalidInputError([{ field, rule }]);
}

/** Whether the day has not yet begun at `now` (epoch ms) in the zone; false if the zone is unknown. */
export function bornInFuture(
  { dateOfBirth, timezone }: { readonly dateOfBirth: string; readonly timezone: string },
  now: number,
  tz: TzDatabase,
): boolean {
  if (!tz.isKnown(timezone)) return false;
  return dateOfBirth > formatCalendarDate(now + tz.offsetAt(timezone, now));
}

/**
 * A name with a `/` that the tz database knows, links such as `Asia/Calcutta` included, or `UTC`.
 * `EST` and `+05:30` name an offset, not a place. The spelling must be exact, because other readers
 * of the name do not ignore its case.
 */
export function timezoneFault(zone: string, tz: TzDatabase): string | null {
  if (zone === 'UTC') return null;
  if (!ZONE_NAME.test(zone))
    return 'must be an IANA time zone with a "/", such as Europe/Berlin, or UTC';
  if (tz.isKnown(zone)) return null;
  return tz.isMisspelt(zone)
    ? 'must be spelt as in the IANA tz database, such as Europe/Berlin'
    : 'must be an IANA time zone known to this installation';
}

const ZONE_NAME = /^[A-Za-z]+(?:\/[A-Za-z0-9_+-]+)+$/;

const SOMETHING_VISIBLE = /[^\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/u;

const EASTERNMOST_OFFSET_MS = 14 * 3_600_000;
