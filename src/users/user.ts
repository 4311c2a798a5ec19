/** What users consist of: a schema of each field, and the rules that it follows. */
import { z } from 'zod';

import { isBlank, lengthFault, TEXT_PATTERN, textFault } from '../platform/text.ts';
import { formatCalendarDate, parseCalendarDate } from '../time/calendar-date.ts';
import { nearestZones } from '../time/nearest-zones.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { InvalidInputError } from './errors.ts';

/** In code points: more than real names need, and a limit for the webhook's body. */
const NAME_MAX = 100;
export const EXTERNAL_ID_MAX = 200;
const REASON_MAX = 200;
/** Early enough for 1604, which address books write for a birthday without a year. */
export const EARLIEST_DATE = '1600-01-01';

/** Needed because dates of birth must be past, and zones known. */
export interface FieldContext {
  /** Epoch ms. */
  readonly clock: () => number;
  readonly tz: TzDatabase;
}

export type UserInput = z.output<ReturnType<typeof userInput>>;

export type UserPatch = z.output<ReturnType<typeof userPatch>>;

/** The fields that callers set. */
export type UserFields = Readonly<z.output<z.ZodObject<ReturnType<typeof userFields>>>>;

/** Instants are epoch ms, dates `YYYY-MM-DD`. */
export interface User extends UserFields {
  readonly id: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** When a schedule input last changed; at first, `createdAt`. */
  readonly inputsChangedAt: number;
  /** 1 at first, and one more with each change. */
  readonly revision: number;
}

/** The fields that are schedule inputs: a change needs a new plan. */
export const INPUT_FIELDS: readonly (keyof UserFields)[] = [
  'dateOfBirth',
  'timezone',
  'deliveryTime',
  'suspended',
];

/** A whole user, for POST and PUT. A suspension that it does not mention stays. */
export function userInput(context: FieldContext) {
  const fields = userFields(context);
  return z.strictObject({
    ...fields,
    externalId: absentIs(null, fields.externalId),
    lastName: absentIs('', fields.lastName),
    deliveryTime: absentIs(null, fields.deliveryTime),
    suspended: fields.suspended.optional(),
    suspendedReason: fields.suspendedReason.optional(),
  });
}

/** Any fields of a user, for PATCH. `null` removes an optional one. */
export function userPatch(context: FieldContext) {
  return z.strictObject(userFields(context)).partial();
}

export function userFields({ clock, tz }: FieldContext) {
  return {
    externalId: externalIdField('Your own id of the user; unique', 'crm-4711').nullable(),
    firstName: ruled(firstNameFault).trim().meta({
      description: 'Must not be blank. White space around it is removed',
      minLength: 1,
      maxLength: NAME_MAX,
      pattern: TEXT_PATTERN,
      example: 'Ada',
    }),
    lastName: ruled(nameFault).trim().meta({
      description: 'May be empty. White space around it is removed',
      maxLength: NAME_MAX,
      pattern: TEXT_PATTERN,
      example: 'Lovelace',
    }),
    dateOfBirth: ruled((date) => dateOfBirthFault(date, clock())).meta({
      description: "From 1600-01-01 to today in the user's own time zone",
      format: 'date',
      example: '1990-05-20',
    }),
    timezone: timezoneField(
      'An IANA time zone, as the tz database in use has it, links included; kept as sent',
      tz,
    ),
    deliveryTime: localTimeField(
      "When the user's webhooks are sent, by the clocks of the time zone; null: the default of the occasion type or the installation",
    ).nullable(),
    ...suspensionFields('user'),
  };
}

/** For users and for occasions. */
export function externalIdField(description: string, example: string) {
  return ruled(externalIdFault).meta({
    description,
    minLength: 1,
    maxLength: EXTERNAL_ID_MAX,
    pattern: TEXT_PATTERN,
    example,
  });
}

export function timezoneField(description: string, tz: TzDatabase) {
  return ruled((zone) => timezoneFault(zone, tz)).meta({
    description,
    format: 'time-zone',
    example: 'Europe/Berlin',
  });
}

export function localTimeField(description: string) {
  return z
    .string('must be a string')
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time HH:MM, from 00:00 to 23:59')
    .meta({ description, example: '09:00' });
}

/** For users and for occasions. */
export function suspensionFields(of: 'user' | 'occasion') {
  return {
    suspended: z.boolean('must be true or false').meta({
      description: `While true, nothing is sent for the ${of}. What falls due meanwhile is skipped, and not sent later`,
      example: false,
    }),
    suspendedReason: ruled((reason) => lengthFault(reason, REASON_MAX) ?? textFault(reason))
      .meta({
        description: 'Why, in your own words. Only while suspended; null when that ends',
        maxLength: REASON_MAX,
        pattern: TEXT_PATTERN,
        example: 'opted out',
      })
      .nullable(),
  };
}

/**
 * A field that may be absent. The description has no `default`, because generated clients would
 * then require the field.
 */
export function absentIs<Schema extends z.ZodType, const Value>(value: Value, schema: Schema) {
  return schema.optional().transform((given) => (given === undefined ? value : given));
}

/** A string that follows a rule; `fault` returns the rule that it breaks, or null. */
export function ruled(fault: (value: string) => string | null) {
  return z
    .string({ error: ({ input }) => (input === undefined ? 'is required' : 'must be a string') })
    .superRefine((value, context) => {
      const rule = fault(value);
      if (rule !== null) context.addIssue({ code: 'custom', message: rule });
    });
}

// Each function returns the rule that a value breaks, worded as a fault, or null.

/** A first or last name. */
export function nameFault(name: string): string | null {
  return lengthFault(name, NAME_MAX) ?? textFault(name);
}

/** Unlike a last name, it must not be blank. */
export function firstNameFault(name: string): string | null {
  return nameFault(name) ?? (isBlank(name) ? 'must not be blank' : null);
}

export function externalIdFault(externalId: string): string | null {
  if (externalId === '') return 'must not be empty; null or leaving it out means none';
  return lengthFault(externalId, EXTERNAL_ID_MAX) ?? textFault(externalId);
}

/** The beginning of a name or of an external id to search for. */
export function searchFault(text: string): string | null {
  if (isBlank(text)) return 'must not be blank';
  return lengthFault(text, EXTERNAL_ID_MAX) ?? textFault(text);
}

/** Allows any day that has begun somewhere on Earth at `now`; {@link refuseUnborn} is exact. */
export function dateOfBirthFault(date: string, now: number): string | null {
  if (parseCalendarDate(date) === null) return 'must be a calendar date, as YYYY-MM-DD';
  if (date < EARLIEST_DATE) return `must not be before ${EARLIEST_DATE}`;
  return date > formatCalendarDate(now + EASTERNMOST_OFFSET_MS) ? IN_FUTURE : null;
}

const IN_FUTURE = "must not be in the future in the user's own time zone";

/**
 * The one rule over two fields: a date of birth must not be a day that has not yet begun at `now`
 * (epoch ms) where the user lives. Unknown zones are not checked.
 *
 * @throws InvalidInputError that names `field`
 */
export function refuseUnborn(
  { dateOfBirth, timezone }: Pick<UserInput, 'dateOfBirth' | 'timezone'>,
  now: number,
  tz: TzDatabase,
  field: 'dateOfBirth' | 'timezone' = 'dateOfBirth',
): void {
  if (!tz.isKnown(timezone)) return;
  if (dateOfBirth <= formatCalendarDate(now + tz.offsetAt(timezone, now))) return;
  const rule = field === 'dateOfBirth' ? IN_FUTURE : 'must not put the date of birth in the future';
  throw new InvalidInputError([{ field, rule }]);
}

/**
 * Allows any name of the tz database, links included. The spelling must be exact, because other
 * readers of the name do not ignore its case.
 */
export function timezoneFault(zone: string, tz: TzDatabase): string | null {
  if (tz.isKnown(zone)) return null;
  const nearest = nearestZones(zone, tz);
  const examples =
    nearest.length > 0 ? `; nearest: ${nearest.join(', ')}` : ', such as Europe/Berlin';
  return `must be an IANA time zone known to this installation, spelt as there${examples}`;
}

/**
 * A warning for zones that callers may misjudge: `EST` and `GMT` look like zones of places where
 * clocks change, but are fixed offsets. Null if there is nothing to say, or the zone is unknown.
 */
export function timezoneHint(zone: string, now: number, tz: TzDatabase): string | null {
  if (!ABBREVIATION.test(zone) || !tz.isKnown(zone)) return null;
  const offsets = Array.from({ length: 12 }, (_, month) =>
    tz.offsetAt(zone, now + month * MONTH_MS),
  );
  if (new Set(offsets).size > 1) return null;
  return 'has no daylight saving time: if clocks change where the user lives, send a place, such as Europe/London';
}

const ABBREVIATION = /^[A-Z]{3}[\d+-]*$/;

const MONTH_MS = 30 * 86_400_000;

const EASTERNMOST_OFFSET_MS = 14 * 3_600_000;
