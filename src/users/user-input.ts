import { z } from 'zod';

import { TEXT_PATTERN } from '../platform/text.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import {
  dateOfBirthFault,
  EXTERNAL_ID_MAX,
  externalIdFault,
  firstNameFault,
  NAME_MAX,
  nameFault,
  timezoneFault,
} from './rules.ts';
import type { Clock } from './user.ts';

/** Dates of birth must be past, and zones known. */
interface Context {
  readonly clock: Clock;
  readonly tz: TzDatabase;
}

export type UserInput = z.output<ReturnType<typeof userInput>>;

export type UserPatch = z.output<ReturnType<typeof userPatch>>;

/** A whole user, as POST and PUT take it. */
export function userInput(context: Context) {
  const { externalId, firstName, lastName, dateOfBirth, timezone } = userFields(context);
  return z.strictObject(
    {
      externalId: externalId.default(null),
      firstName,
      lastName: lastName.default(''),
      dateOfBirth,
      timezone,
    },
    { error: 'must be a JSON object' },
  );
}

/** Any fields of a user, as PATCH takes them. `externalId: null` removes it. */
export function userPatch(context: Context) {
  return z.strictObject(userFields(context), { error: 'must be a JSON object' }).partial();
}

export function userFields({ clock, tz }: Context) {
  return {
    externalId: ruled(externalIdFault)
      .meta({
        description: 'Your own id of the user; unique',
        minLength: 1,
        maxLength: EXTERNAL_ID_MAX,
        pattern: TEXT_PATTERN,
        example: 'crm-4711',
      })
      .nullable(),
    firstName: ruled(firstNameFault).meta({
      description: 'Must not be blank',
      minLength: 1,
      maxLength: NAME_MAX,
      pattern: TEXT_PATTERN,
      example: 'Ada',
    }),
    lastName: ruled(nameFault).meta({
      description: 'May be empty',
      maxLength: NAME_MAX,
      pattern: TEXT_PATTERN,
      example: 'Lovelace',
    }),
    dateOfBirth: ruled((date) => dateOfBirthFault(date, clock())).meta({
      description: "From 1600-01-01 to today in the user's own time zone",
      format: 'date',
      example: '1990-05-20',
    }),
    timezone: ruled((zone) => timezoneFault(zone, tz)).meta({
      description: 'An IANA time zone with a "/", links included, or UTC; kept as sent',
      format: 'time-zone',
      example: 'Europe/Berlin',
    }),
  };
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
