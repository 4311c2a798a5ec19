import { z } from '@hono/zod-openapi';

import type { OccurrenceRecord, OccurrenceSummary } from '../ledger/occurrence-reader.ts';
import { isoInstant } from '../time/instant.ts';

const instant = z.iso.datetime().nullable();

/** An occurrence as a page shows it: no names, and no date of birth. */
export const OccurrenceSummarySchema = z
  .object({
    key: z.string().openapi({
      description: 'Also the `webhook-id` of every attempt',
      example: 'birthday:01939d1c-0000-7000-8000-000000000000:2027',
    }),
    occasionType: z.string().openapi({ example: 'birthday' }),
    occasionId: z.uuid().openapi({ description: "Of a birthday, the user's id" }),
    userId: z.uuid(),
    nominalDate: z.string().openapi({
      description: 'The day that the rule names, even where it does not exist',
      example: '2027-02-29',
    }),
    status: z.enum(['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'SKIPPED']),
    reason: z.string().nullable().openapi({ description: 'Why it FAILED or was SKIPPED' }),
    blockedReason: z.string().nullable().openapi({ description: 'Why it cannot be planned' }),
    localDate: z.iso.date().nullable(),
    timezone: z.string(),
    dueAt: instant,
    tzVersion: z.string().openapi({ description: 'The tz database that it was planned by' }),
    attemptCount: z.int().openapi({ description: 'Of all attempts, kept or not' }),
    firstAttemptAt: instant,
    nextAttemptAt: instant.openapi({
      description:
        'When it may be sent next; null while it is being sent, waits for a plan, or is settled',
    }),
    deliveredAt: instant,
    latenessMs: z.number().nullable(),
    late: z.boolean().nullable().openapi({ description: 'Null until it is delivered' }),
  })
  .openapi('OccurrenceSummary');

/** One HTTP request, as the ledger keeps it. */
export const AttemptSchema = z.object({
  number: z.int(),
  startedAt: z.iso.datetime(),
  durationMs: z.int(),
  sentBy: z.enum(['dispatcher', 'workflow']),
  outcome: z.string(),
  status: z.int().nullable().openapi({ description: 'Of the HTTP answer, if there was one' }),
  errorCode: z.string().nullable(),
  responseExcerpt: z.string().nullable().openapi({
    description: 'How the answer began. Erased after RETAIN_RESPONSE_EXCERPTS',
  }),
});

/** One with all that is kept of it. */
export const OccurrenceRecordSchema = OccurrenceSummarySchema.extend({
  localTime: z.string(),
  leapDayPolicy: z.string(),
  utcOffset: z.string().nullable(),
  explanation: z.string().nullable().openapi({
    description:
      'How the instant was found. Null when it was never found, or by a tz database that has changed since.',
  }),
  plannedAt: z.iso.datetime(),
  supersededAt: instant.openapi({
    description: 'When the next occurrence falls due, and this one is no longer sent',
  }),
  settledAt: instant.openapi({ description: 'When it became COMPLETED, FAILED or SKIPPED' }),
  redeliveries: z.int().openapi({ description: 'How often it was sent again on request' }),
  redeliveredAt: instant.openapi({ description: 'When the last redelivery began' }),
  forcedAt: instant.openapi({ description: 'When it was last sent again although delivered' }),
  attempts: z
    .array(AttemptSchema)
    .openapi({ description: 'In order, as far as they are kept: RETAIN_ATTEMPTS' }),
}).openapi('OccurrenceRecord');

/** The key in a path, colons as they are or encoded. Text that is no key is the key of nothing. */
export const occurrenceKeyParam = z.object({
  key: z.string().openapi({
    param: { name: 'key', in: 'path' },
    description: '`birthday:<user id>:<year>`, or `<occasion type>:<occasion id>:<nominal date>`',
    example: 'birthday:01939d1c-0000-7000-8000-000000000000:2027',
  }),
});

/** Maps a row of the ledger to what a page shows of it. */
export function summaryBody(row: OccurrenceSummary): z.output<typeof OccurrenceSummarySchema> {
  return {
    key: row.key,
    occasionType: row.occasionType,
    occasionId: row.occasionId,
    userId: row.userId,
    nominalDate: row.nominalDate,
    status: row.status,
    reason: row.reason,
    blockedReason: row.blockedReason,
    localDate: row.localDate,
    timezone: row.timezone,
    dueAt: isoInstant(row.dueAt),
    tzVersion: row.tzVersion,
    attemptCount: row.attemptCount,
    firstAttemptAt: isoInstant(row.firstAttemptAt),
    nextAttemptAt: isoInstant(row.nextAttemptAt),
    deliveredAt: isoInstant(row.deliveredAt),
    latenessMs: row.latenessMs,
    late: row.late,
  };
}

/** Maps a row of the ledger and its attempts to what the API shows of them. */
export function recordBody(row: OccurrenceRecord): z.output<typeof OccurrenceRecordSchema> {
  return {
    ...summaryBody(row),
    localTime: row.localTime,
    leapDayPolicy: row.leapDayPolicy,
    utcOffset: row.utcOffset,
    explanation: row.explanation,
    plannedAt: new Date(row.plannedAt).toISOString(),
    supersededAt: isoInstant(row.supersededAt),
    settledAt: isoInstant(row.settledAt),
    redeliveries: row.redeliveries,
    redeliveredAt: isoInstant(row.redeliveredAt),
    forcedAt: isoInstant(row.forcedAt),
    attempts: row.attempts.map((attempt) => ({
      ...attempt,
      startedAt: new Date(attempt.startedAt).toISOString(),
    })),
  };
}
