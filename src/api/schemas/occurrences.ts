import { z } from '@hono/zod-openapi';

import { isOccasionType } from '../../ledger/occurrence-key.ts';
import type { OccurrenceRecord } from '../../ledger/occurrence-reader.ts';
import { DAY_MS } from '../../time/calendar-date.ts';
import { ruled } from '../../users/user.ts';
import { destinationParam, instantParam, timezoneParam, toBody } from './common.ts';

const instant = z.iso.datetime().nullable();

export const STATES = ['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'SKIPPED'] as const;

export const nominalDate = z.string().openapi({
  description: 'The day that the rule names, even if it does not exist',
  example: '2027-02-29',
});

/** The user and the occasion of an occurrence: in lists, with `include=user`. */
const BELONGS_TO = {
  user: z
    .union([
      z
        .object({ externalId: z.string().nullable(), firstName: z.string(), lastName: z.string() })
        .openapi('OccurrenceUser'),
      z.null(),
    ])
    .optional()
    .openapi({ description: 'With `include=user`: as it is now; null once it is deleted' }),
  occasionExternalId: z
    .string()
    .nullable()
    .optional()
    .describe('With `include=user`; null for a birthday, and once the occasion is deleted'),
};

/** The parameter that asks for it. */
export const includeParam = z
  .literal('user', 'must be user')
  .optional()
  .describe('Adds names and external ids. Requires the scope `users:read` as well');

/** Adds these to a schema. */
export const withUser = <Shape extends z.ZodRawShape>(schema: z.ZodObject<Shape>) =>
  schema.extend(BELONGS_TO);

/** An occurrence in a page: no date of birth, and names only if they are asked for. */
export const OccurrenceSummarySchema = z
  .object({
    key: z.string().openapi({
      description: 'Also the `webhook-id` of every attempt',
      example: 'birthday:01939d1c-0000-7000-8000-000000000000:2027',
    }),
    occasionType: z.string().openapi({ example: 'birthday' }),
    occasionId: z.uuid().describe("For a birthday, the user's id"),
    userId: z.uuid(),
    nominalDate,
    status: z.enum(STATES),
    reason: z.string().nullable().describe('Why it FAILED or was SKIPPED'),
    blockedReason: z.string().nullable().describe('Why it cannot be planned'),
    localDate: z.iso.date().nullable(),
    timezone: z.string(),
    dueAt: instant,
    tzVersion: z.string().describe('The tz database that it was planned with'),
    attemptCount: z.int().describe('Includes attempts that are no longer kept'),
    firstAttemptAt: instant,
    nextAttemptAt: instant.describe(
      'When it may be sent next; null while it is being sent, waits for a plan, or is settled',
    ),
    settledAt: instant.describe('When it became COMPLETED, FAILED or SKIPPED'),
    deliveredAt: instant,
    latenessMs: z.number().nullable(),
    late: z.boolean().nullable().describe('Null until it is delivered'),
    replanning: z
      .boolean()
      .describe('The inputs have changed since it was planned; its new plan is being made'),
  })
  .openapi('OccurrenceSummary');

const AttemptSchema = z.object({
  number: z.int(),
  startedAt: z.iso.datetime(),
  durationMs: z.int(),
  sentBy: z.enum(['dispatcher', 'workflow']),
  outcome: z.string(),
  status: z.int().nullable().describe('Of the HTTP response, if there was one'),
  errorCode: z.string().nullable(),
  responseExcerpt: z
    .string()
    .nullable()
    .describe('The beginning of the response. Erased after RETAIN_RESPONSE_EXCERPTS'),
});

/** All that is kept of an occurrence. */
export const OccurrenceRecordSchema = OccurrenceSummarySchema.extend({
  localTime: z.string(),
  leapDayPolicy: z.string(),
  utcOffset: z.string().nullable(),
  explanation: z
    .string()
    .nullable()
    .describe(
      'How the due instant was found. Null if there is none, or if the tz database has changed it since.',
    ),
  plannedAt: z.iso.datetime(),
  supersededAt: instant.describe(
    'When the next occurrence falls due, and this one is no longer sent',
  ),
  redeliveries: z.int().describe('How often it was redelivered on request'),
  redeliveredAt: instant.describe('When the last redelivery began'),
  redeliveryId: z.uuid().nullable().describe('The request that the last redelivery came from'),
  forcedAt: instant.describe('When a redelivery was last forced'),
  attempts: z.array(AttemptSchema).describe('In order. Kept for RETAIN_ATTEMPTS'),
}).openapi('OccurrenceRecord');

export function recordBody(row: OccurrenceRecord) {
  const attempts = row.attempts.map((attempt) => toBody(AttemptSchema, attempt));
  return toBody(OccurrenceRecordSchema, { ...row, attempts });
}

/**
 * Accepts colons as they are or encoded, and the id in either case, as everywhere. Text that is not
 * a key matches nothing: 404.
 */
export const occurrenceKeyParam = z.object({
  key: z
    .string()
    .transform((key) => key.replace(/:[\da-f-]{36}:/i, (id) => id.toLowerCase()))
    .openapi({
      param: { name: 'key', in: 'path' },
      description: '`birthday:<user id>:<year>`, or `<occasion type>:<occasion id>:<nominal date>`',
      example: 'birthday:01939d1c-0000-7000-8000-000000000000:2027',
    }),
});

/** Zones have no index, which every delivery would have to maintain: a window limits the search. */
const ZONE_WINDOW_DAYS = 31;
const NEEDS_WINDOW = `from and to, at most ${ZONE_WINDOW_DAYS} days apart`;

/** Which occurrences are meant: fields for a `z.strictObject` with {@link checkFilter}. */
export const filterFields = {
  from: instantParam('Due instants from this one on'),
  to: instantParam('Due instants before this one'),
  occasionType: ruled((type) =>
    isOccasionType(type) ? null : 'must be the name of an occasion type, such as birthday',
  )
    .optional()
    .openapi({ example: 'birthday' }),
  userId: z.uuid('must be the id of a user, a UUID').optional(),
  timezone: timezoneParam(`As it was sent. Requires ${NEEDS_WINDOW}`),
  destination: destinationParam,
};

/** The result of the last attempt. */
export const answerParam = z
  .string('must be a string')
  .regex(/^(?:[1-9]\d\d|[A-Z][A-Z\d_]{1,99}|none)$/, 'must be a status, an error code, or none')
  .optional()
  .openapi({
    description:
      'The result of the last attempt: the HTTP status, or the error code if there was none; `none` if no attempt is kept',
    example: '400',
  });

type FilterInput = z.output<z.ZodObject<typeof filterFields>>;

/** The rules that span several fields, as a `superRefine`. */
export function checkFilter({ from, to, timezone }: FilterInput, context: z.RefinementCtx): void {
  const refuse = (field: keyof FilterInput, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  const windowMs = from !== undefined && to !== undefined ? to - from : null;
  if (windowMs !== null && windowMs <= 0) refuse('to', 'must be after from');
  if (timezone !== undefined && (windowMs ?? Infinity) > ZONE_WINDOW_DAYS * DAY_MS) {
    refuse('timezone', `needs ${NEEDS_WINDOW}`);
  }
}

/** The filter for the ledger: epoch ms, and null for any. */
export function filterOf({ from, to, occasionType, userId, timezone, destination }: FilterInput) {
  return {
    from: from ?? null,
    to: to ?? null,
    occasionType: occasionType ?? null,
    userId: userId ?? null,
    timezone: timezone ?? null,
    destination: destination ?? null,
  };
}
