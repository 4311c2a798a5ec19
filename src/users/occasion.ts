/** A user's occasions besides the birthday: a schema of each field, and the rules they follow. */
import { z } from 'zod';

import { parseCalendarDate } from '../time/calendar-date.ts';
import { rruleFault } from '../time/recurrence.ts';
import { type FieldFault, InvalidInputError } from './errors.ts';
import { dataFault, type OccasionData } from './occasion-data.ts';
import {
  absentIs,
  EARLIEST_DATE,
  externalIdField,
  type FieldContext,
  localTimeField,
  ruled,
  suspensionFields,
  timezoneField,
  type User,
} from './user.ts';

/** Follows the user's date of birth, and has no date of its own. */
export const BIRTHDAY_REMINDER = 'birthday-reminder';

/** Yearly, beginning a year after the date: the day itself is not yet an anniversary. */
const ANNIVERSARIES: ReadonlySet<string> = new Set(['anniversary', BIRTHDAY_REMINDER]);

/** `birthday` is implied by every user; `test` names the test event of the webhook. */
const RESERVED_TYPES: readonly string[] = ['birthday', 'test'];

const TYPE_PATTERN = '^[a-z][a-z0-9-]{0,39}$';

export const SIMPLE_RECURRENCES = ['once', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/** More than a year: a yearly occurrence can be announced before the previous one. */
const OFFSET_MAX_DAYS = 366;
const OFFSET_RULE = `must be a whole number of days from 0 to ${OFFSET_MAX_DAYS}`;

/** Enough for all parts of a rule, with long lists. */
const RRULE_MAX = 500;

export type OccasionInput = z.output<ReturnType<typeof occasionInput>>;

export type AddressedOccasionInput = z.output<ReturnType<typeof addressedOccasionInput>>;

export type OccasionPatch = z.output<ReturnType<typeof occasionPatch>>;

/** The fields that callers set. */
export interface OccasionFields extends Readonly<
  z.output<z.ZodObject<ReturnType<typeof occasionFields>>>
> {
  /** Cannot change once the occasion exists. */
  readonly type: string;
}

/** Instants are epoch ms, dates `YYYY-MM-DD`. */
export interface Occasion extends OccasionFields {
  readonly id: string;
  readonly userId: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** 1 at first, and one more with each change. */
  readonly revision: number;
  /** What the occasion uses if it has no value of its own. */
  readonly user: Pick<User, 'dateOfBirth' | 'timezone' | 'deliveryTime' | 'suspended'>;
}

/** The fields that are schedule inputs: a change needs a new plan. */
export const OCCASION_INPUT_FIELDS: readonly (keyof OccasionFields)[] = [
  'date',
  'recurrence',
  'rrule',
  'offsetDays',
  'deliveryTime',
  'timezone',
  'suspended',
];

/** A whole occasion, for POST. A suspension that it does not mention stays. */
export function occasionInput(context: FieldContext) {
  return z.strictObject({ type: typeField(), ...inputFields(context) });
}

/** The same for an address that names the type and the external id. */
export function addressedOccasionInput(context: FieldContext) {
  return z.strictObject({ type: typeField().optional(), ...inputFields(context) });
}

/** Any fields of an occasion, for PATCH. `null` removes an optional one. */
export function occasionPatch(context: FieldContext) {
  return z.strictObject(occasionFields(context)).partial();
}

function inputFields(context: FieldContext) {
  const fields = occasionFields(context);
  return {
    externalId: absentIs(null, fields.externalId),
    date: absentIs(null, fields.date),
    recurrence: absentIs(null, fields.recurrence),
    rrule: absentIs(null, fields.rrule),
    offsetDays: absentIs(0, fields.offsetDays),
    deliveryTime: absentIs(null, fields.deliveryTime),
    timezone: absentIs(null, fields.timezone),
    data: absentIs(null, fields.data),
    suspended: fields.suspended.optional(),
    suspendedReason: fields.suspendedReason.optional(),
  };
}

export function typeField() {
  return ruled(typeFault).meta({
    description:
      'anniversary, birthday-reminder, reminder, subscription, or a name of your own; fixed once the occasion exists',
    pattern: `^(?!(?:${RESERVED_TYPES.join('|')})$)${TYPE_PATTERN.slice(1)}`,
    example: 'subscription',
  });
}

export function occasionFields({ tz }: FieldContext) {
  return {
    externalId: externalIdField(
      'Your own id of the occasion; unique for its user and type',
      'contract-9',
    ).nullable(),
    date: ruled(dateFault)
      .meta({
        description:
          'The first day, from which the recurrence counts. Required, except for a birthday-reminder, which follows the date of birth and has none',
        format: 'date',
        example: '2027-01-31',
      })
      .nullable(),
    recurrence: z
      .enum(SIMPLE_RECURRENCES, `must be one of ${SIMPLE_RECURRENCES.join(', ')}`)
      .meta({
        description:
          'Either this or `rrule` is required. An anniversary and a birthday-reminder are yearly, and begin a year after the date',
        example: 'monthly',
      })
      .nullable(),
    rrule: ruled((rule) =>
      rule.length > RRULE_MAX ? `must have at most ${RRULE_MAX} characters` : null,
    )
      .meta({
        description:
          'A recurrence rule of RFC 5545, of whole days: FREQ from DAILY to YEARLY, INTERVAL, BYDAY, BYMONTHDAY, BYMONTH, BYSETPOS, WKST, COUNT, UNTIL, and SKIP of RFC 7529. `date` is its DTSTART',
        maxLength: RRULE_MAX,
        example: 'FREQ=MONTHLY;BYDAY=-1FR',
      })
      .nullable(),
    offsetDays: z
      .int(OFFSET_RULE)
      .min(0, OFFSET_RULE)
      .max(OFFSET_MAX_DAYS, OFFSET_RULE)
      .meta({ description: 'Due this many days before the day of the recurrence', example: 7 }),
    deliveryTime: localTimeField(
      'When the webhook is sent, by the clocks of the time zone; null: the default of the user, the occasion type or the installation',
    ).nullable(),
    timezone: timezoneField(
      "An IANA time zone; null: the user's, which it then follows",
      tz,
    ).nullable(),
    data: z
      .custom<OccasionData>()
      .superRefine((value, context) => {
        const rule = dataFault(value);
        if (rule !== null) context.addIssue({ code: 'custom', message: rule });
      })
      .meta({
        type: 'object',
        description: 'A JSON object of up to 4 KB, passed to the receiver unchanged',
        additionalProperties: true,
        example: { plan: 'Pro' },
      })
      .nullable(),
    ...suspensionFields('occasion'),
  };
}

export function typeFault(type: string): string | null {
  if (!new RegExp(TYPE_PATTERN).test(type)) {
    return 'must have 1 to 40 lower-case letters, digits and hyphens, and begin with a letter';
  }
  return RESERVED_TYPES.includes(type) ? `must not be ${type}, which is reserved` : null;
}

function dateFault(date: string): string | null {
  if (parseCalendarDate(date) === null) return 'must be a calendar date, as YYYY-MM-DD';
  return date < EARLIEST_DATE ? `must not be before ${EARLIEST_DATE}` : null;
}

type Dated = Pick<OccasionFields, 'type' | 'date' | 'recurrence' | 'rrule'>;

/** Adds what a type implies: the recurrence of an anniversary need not be given. */
export function withImplied<Fields extends Dated>(fields: Fields): Fields {
  if (!ANNIVERSARIES.has(fields.type)) return fields;
  return { ...fields, recurrence: fields.recurrence ?? 'yearly' };
}

/** The rules across several fields, which {@link occasionFields} cannot check. */
export function occasionFaults({ type, date, recurrence, rrule }: Dated): FieldFault[] {
  const faults: FieldFault[] = [];
  const refuse = (field: keyof Dated, rule: string) => faults.push({ field, rule });
  if (type === BIRTHDAY_REMINDER) {
    if (date !== null) refuse('date', `must not be given: a ${type} follows the date of birth`);
  } else if (date === null) {
    refuse('date', 'is required');
  }
  if (ANNIVERSARIES.has(type)) {
    if (rrule !== null) refuse('rrule', `must not be given: this type is yearly`);
    if (recurrence !== 'yearly') refuse('recurrence', `must be yearly for this type`);
  } else if (recurrence === null && rrule === null) {
    refuse('recurrence', 'is required, unless rrule is given');
  } else if (rrule !== null) {
    if (recurrence !== null) refuse('rrule', 'must not be given together with recurrence');
    const rule = date === null ? null : rruleFault(rrule, date);
    if (rule !== null) refuse('rrule', rule);
  }
  return faults;
}

/** @throws InvalidInputError */
export function refuseUnfit(fields: Dated): void {
  const faults = occasionFaults(fields);
  if (faults.length > 0) throw new InvalidInputError(faults);
}

/** The recurrence in the form in which it is stored, and from which plans are computed. */
export function recurrenceOf({
  type,
  recurrence,
  rrule,
}: Dated): (typeof SIMPLE_RECURRENCES)[number] | 'birthday' | 'rrule' {
  if (ANNIVERSARIES.has(type)) return 'birthday';
  if (rrule !== null) return 'rrule';
  if (recurrence === null) throw new Error('an occasion has a recurrence or a rule');
  return recurrence;
}
