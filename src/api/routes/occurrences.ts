import { createRoute, z } from '@hono/zod-openapi';

import type { OccurrenceRecord } from '../../ledger/occurrence-reader.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import {
  AttemptSchema,
  checkFilter,
  filterFields,
  filterOf,
  occurrenceKeyParam,
  OccurrenceRecordSchema,
  OccurrenceSummarySchema,
  recordBody,
  STATES,
} from '../occurrence-schemas.ts';
import { problems } from '../problem.ts';
import {
  json,
  nextCursor,
  noQuery,
  pageParams,
  toBody,
  userIdParam,
  occurrenceCursor,
} from '../schemas.ts';

/** Reading the ledger. */
export function registerOccurrences(app: Api, deps: ApiDeps): void {
  const list = createRoute({
    operationId: 'listOccurrences',
    ...needs('deliveries:read', 'Occurrences'),
    summary: 'List occurrences',
    description:
      'Ordered by due instant. Those without one, because they cannot be planned, come last.',
    method: 'get',
    path: '/v1/occurrences',
    request: {
      query: z
        .strictObject({
          status: z.enum(STATES, `must be one of ${STATES.join(', ')}`).optional(),
          ...filterFields,
          late: flag('Delivered late (true) or on time (false)'),
          blocked: flag('Cannot be planned, and therefore has no due instant'),
          due: z
            .literal('true', 'must be true')
            .transform(() => true as const)
            .optional()
            .openapi({
              type: 'boolean',
              description:
                'May be sent now, or as soon as deliveries are resumed. After LATE_LIMIT without an attempt it is skipped instead',
            }),
          ...pageParams(occurrenceCursor),
        })
        .superRefine(checkFilter),
    },
    responses: {
      200: {
        description: 'A page of occurrences',
        content: json(
          z
            .object({ occurrences: z.array(OccurrenceSummarySchema), nextCursor })
            .openapi('OccurrencePage'),
        ),
      },
      ...problems(400),
    },
  });
  app.openapi(list, async (c) => {
    const {
      limit,
      cursor = null,
      status = null,
      late = null,
      blocked = null,
      due = null,
      ...rest
    } = c.req.valid('query');
    const filter = { ...filterOf(rest), status, late, blocked, due };
    const { occurrences, nextAfter } = await deps.occurrences.findPage(filter, cursor, limit);
    const bodies = occurrences.map((row) => toBody(OccurrenceSummarySchema, row));
    return c.json(
      { occurrences: bodies, nextCursor: nextAfter && occurrenceCursor.encode(nextAfter) },
      200,
    );
  });

  const get = createRoute({
    operationId: 'getOccurrence',
    ...needs('deliveries:read', 'Occurrences'),
    summary: 'Get an occurrence',
    description: 'With every attempt and the response to it.',
    method: 'get',
    path: '/v1/occurrences/{key}',
    request: { query: noQuery, params: occurrenceKeyParam },
    responses: {
      200: { description: 'The occurrence', content: json(OccurrenceRecordSchema) },
      ...problems(400, 404),
    },
  });
  app.openapi(get, async (c) => {
    const occurrence = await deps.occurrences.get(c.req.valid('param').key);
    return c.json(recordBody(occurrence), 200);
  });

  const listOfUser = createRoute({
    operationId: 'listUserOccurrences',
    ...needs('deliveries:read', 'Occurrences'),
    summary: "List a user's occurrences",
    description: 'The newest first. `next` is null until the user has been planned.',
    method: 'get',
    path: '/v1/users/{id}/occurrences',
    request: { query: noQuery, params: userIdParam },
    responses: {
      200: {
        description: 'What was sent to the user, and what comes next',
        content: json(
          z
            .object({
              // Not nullable(): that would make every Occurrence of the document nullable.
              next: z.union([OccurrenceSchema, z.null()]),
              occurrences: z.array(OccurrenceSchema),
            })
            .openapi('UserOccurrences'),
        ),
      },
      ...problems(400, 404),
    },
  });
  app.openapi(listOfUser, async (c) => {
    const user = await deps.users.get(c.req.valid('param').id);
    const { next, occurrences } = await deps.occurrences.findOfUser(user.id);
    return c.json(
      { next: next && occurrenceBody(next), occurrences: occurrences.map(occurrenceBody) },
      200,
    );
  });
}

function flag(description: string) {
  return z
    .enum(['true', 'false'], 'must be true or false')
    .transform((value) => value === 'true')
    .optional()
    .openapi({ type: 'boolean', description });
}

const UserAttemptSchema = AttemptSchema.omit({ responseExcerpt: true });

/** Without what only operators need, such as the receiver's responses. */
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
    attempts: z.array(UserAttemptSchema),
  })
  .openapi('Occurrence');

function occurrenceBody(row: OccurrenceRecord) {
  const attempts = row.attempts.map((attempt) => toBody(UserAttemptSchema, attempt));
  return toBody(OccurrenceSchema, { ...row, attempts });
}
