import { createRoute, z } from '@hono/zod-openapi';

import type { OccurrenceRecord } from '../../ledger/occurrence-reader.ts';
import { getUser } from '../../users/get-user.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { isoInstant } from '../../time/instant.ts';
import { AttemptSchema, OccurrenceRecordSchema } from '../occurrence-schemas.ts';
import { problems } from '../problem.ts';
import { noQuery, userIdParam } from '../user-schemas.ts';

/** Without what an operator looks for; of an attempt, without what the receiver said. */
const OccurrenceSchema = z
  .object({
    ...OccurrenceRecordSchema.pick({
      key: true,
      occasionType: true,
      occasionId: true,
      nominalDate: true,
      status: true,
      reason: true,
      blockedReason: true,
      localDate: true,
      localTime: true,
      timezone: true,
      utcOffset: true,
      dueAt: true,
      tzVersion: true,
      explanation: true,
      deliveredAt: true,
      latenessMs: true,
    }).shape,
    attempts: z.array(AttemptSchema.omit({ responseExcerpt: true })),
  })
  .openapi('Occurrence');

/** GET /v1/users/{id}/occurrences */
export function registerListUserOccurrences(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'listUserOccurrences',
    ...needs('deliveries:read'),
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
    const { next, occurrences } = await deps.occurrences.findOfUser(user.id);
    return c.json(
      { next: next && occurrenceBody(next), occurrences: occurrences.map(occurrenceBody) },
      200,
    );
  });
}

function occurrenceBody(occurrence: OccurrenceRecord): z.output<typeof OccurrenceSchema> {
  return {
    key: occurrence.key,
    occasionType: occurrence.occasionType,
    occasionId: occurrence.occasionId,
    nominalDate: occurrence.nominalDate,
    status: occurrence.status,
    reason: occurrence.reason,
    blockedReason: occurrence.blockedReason,
    localDate: occurrence.localDate,
    localTime: occurrence.localTime,
    timezone: occurrence.timezone,
    utcOffset: occurrence.utcOffset,
    dueAt: isoInstant(occurrence.dueAt),
    tzVersion: occurrence.tzVersion,
    explanation: occurrence.explanation,
    deliveredAt: isoInstant(occurrence.deliveredAt),
    latenessMs: occurrence.latenessMs,
    attempts: occurrence.attempts.map((attempt) => ({
      number: attempt.number,
      startedAt: new Date(attempt.startedAt).toISOString(),
      durationMs: attempt.durationMs,
      sentBy: attempt.sentBy,
      outcome: attempt.outcome,
      status: attempt.status,
      errorCode: attempt.errorCode,
    })),
  };
}
