import { createRoute, z } from '@hono/zod-openapi';

import { listOccurrences, type ShownOccurrence } from '../../events/list-occurrences.ts';
import { getUser } from '../../users/get-user.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { isoInstant } from '../instant.ts';
import { problems } from '../problem.ts';
import { noQuery, userIdParam } from '../user-schemas.ts';

const instant = z.iso.datetime().nullable();

const OccurrenceSchema = z
  .object({
    webhookId: z
      .string()
      .openapi({ description: 'The key of the occurrence; the same in every attempt' }),
    eventType: z.string(),
    year: z.int().openapi({ description: "Of the birthday, on the user's own calendar" }),
    state: z.enum(['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'SKIPPED']),
    reason: z.string().nullable().openapi({ description: 'Why it FAILED or was SKIPPED' }),
    blockedReason: z.string().nullable().openapi({ description: 'Why it cannot be planned' }),
    localDate: z.iso.date().nullable(),
    localTime: z.string(),
    timezone: z.string(),
    utcOffset: z.string().nullable(),
    fireAt: instant,
    tzVersion: z.string().openapi({ description: 'The zone law that it was planned by' }),
    explanation: z.string().nullable().openapi({
      description:
        'How the instant was found. Null when it was never found, or by zone law that has changed since.',
    }),
    deliveredAt: instant,
    latenessMs: z.number().nullable(),
    attempts: z.array(
      z.object({
        number: z.int(),
        startedAt: z.iso.datetime(),
        durationMs: z.int(),
        outcome: z.string(),
        status: z.int().nullable().openapi({ description: 'Of the HTTP answer, if there was one' }),
        errorCode: z.string().nullable(),
      }),
    ),
  })
  .openapi('Occurrence');

/** GET /v1/users/{id}/occurrences */
export function registerListUserOccurrences(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'listUserOccurrences',
    tags: ['Occurrences'],
    summary: 'What was sent to a user, and what comes next',
    description: 'The newest first. `next` is null until the user has been planned.',
    method: 'get',
    path: '/v1/users/{id}/occurrences',
    request: { query: noQuery, params: userIdParam },
    responses: {
      200: {
        description: 'The ledger of this user',
        content: {
          'application/json': {
            schema: z
              .object({
                // Not nullable(): that would make every Occurrence of the document nullable.
                next: z.union([OccurrenceSchema, z.null()]),
                occurrences: z.array(OccurrenceSchema),
              })
              .openapi('UserOccurrences'),
          },
        },
      },
      ...problems(400, 404),
    },
  });

  app.openapi(route, async (c) => {
    const user = await getUser(deps, c.req.valid('param').id);
    const { next, occurrences } = await listOccurrences(deps, user.id);
    return c.json(
      { next: next && occurrenceBody(next), occurrences: occurrences.map(occurrenceBody) },
      200,
    );
  });
}

function occurrenceBody(occurrence: ShownOccurrence): z.output<typeof OccurrenceSchema> {
  const { key, fireAt, deliveredAt } = occurrence;
  return {
    webhookId: key,
    eventType: occurrence.eventType,
    year: occurrence.year,
    state: occurrence.state,
    reason: occurrence.reason,
    blockedReason: occurrence.blockedReason,
    localDate: occurrence.localDate,
    localTime: occurrence.localTime,
    timezone: occurrence.timezone,
    utcOffset: occurrence.utcOffset,
    fireAt: isoInstant(fireAt),
    tzVersion: occurrence.tzVersion,
    explanation: occurrence.explanation,
    deliveredAt: isoInstant(deliveredAt),
    latenessMs: occurrence.latenessMs,
    attempts: occurrence.attempts.map((attempt) => ({
      number: attempt.number,
      startedAt: new Date(attempt.startedAt).toISOString(),
      durationMs: attempt.durationMs,
      outcome: attempt.outcome,
      status: attempt.status,
      errorCode: attempt.errorCode,
    })),
  };
}
