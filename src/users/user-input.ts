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

/** What a field is held against besides its own form: dates of birth are past, zones are known. */
interface TimeAndTz {
  readonly clock: Clock;
  readonly tz: TzDatabase;
}

/** All that a caller says of a user. */
export type UserInput = z.output<ReturnType<typeof userInput>>;

/** What a caller changes of a user; a field that is absent stays as it is. */
export type UserPatch = z.output<ReturnType<typeof userPatch>>;

/**
 * A whole user, as POST and PUT take it. Every fault is found, and unknown fields are
 * faults.
 */
export function userInput(here: TimeAndTz) {
  const { externalId, firstName, lastName, dateOfBirth, timezone } = userFields(here);
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

/** Some fields of a user, as PATCH takes them. `externalId: null` takes it away. */
export function userPatch(here: TimeAndTz) {
  return z.strictObject(userFields(here), { error: 'must be a JSON object' }).partial();
}

/** The fields one by one, for what takes only some of them. */
export function userFields({ clock, tz }: TimeAndTz) {
  return {
    externalId: ruled(externalIdFault)
      .meta({
        description: "The caller's own id of this user; unique",
        minLength: 1,
        maxLength: EXTERNAL_ID_MAX,
        pattern: TEXT_PATTERN,
        example: 'crm-4711',
      })
      .nullable(),
    firstName: ruled(firstNameFault).meta({
      description: 'Something of it must be seen',
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

/** A string that keeps a rule; `fault` gives the rule that it breaks. */
export function ruled(fault: (value: string) => string | null) {
  return z
    .string({ error: ({ input }) => (input === undefined ? 'is required' : 'must be a string') })
    .superRefine((value, context) => {
      const rule = fault(value);
      if (rule !== null) context.addIssue({ code: 'custom', message: rule });
    });
}
