import { createRoute, z } from '@hono/zod-openapi';

import { ruled } from '../../users/user.ts';
import { needs, requireScope } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import {
  answerParam,
  checkFilter,
  filterFields,
  filterOf,
  includeParam,
  occurrenceKeyParam,
  OccurrenceRecordSchema,
  OccurrenceSummarySchema,
  recordBody,
  STATES,
  withUser,
} from '../schemas/occurrences.ts';
import { problems } from '../problem.ts';
import {
  flag,
  json,
  nextCursor,
  noQuery,
  pageParams,
  toBody,
  userIdParam,
  occurrenceCursor,
} from '../schemas/common.ts';

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
          reason: ruled((reason) =>
            /^[a-z_]{1,40}$/.test(reason) ? null : 'must be a reason, such as refused',
          )
            .optional()
            .openapi({ description: 'Why it FAILED or was SKIPPED', example: 'refused' }),
          answer: answerParam.describe('Requires `status=FAILED`'),
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
          include: includeParam,
          ...pageParams(occurrenceCursor),
        })
        .superRefine(checkFilter)
        .refine(({ answer, status }) => answer === undefined || status === 'FAILED', {
          path: ['answer'],
          message: 'needs status=FAILED',
        }),
    },
    responses: {
      200: {
        description: 'A page of occurrences',
        content: json(
          z.object({ occurrences: z.array(ListedSchema), nextCursor }).openapi('OccurrencePage'),
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
      reason = null,
      answer = null,
      include,
      ...rest
    } = c.req.valid('query');
    if (include !== undefined) requireScope(c, deps, 'users:read');
    const filter = { ...filterOf(rest), status, reason, answer, late, blocked, due };
    const { occurrences, nextAfter } = await deps.occurrences.findPage(filter, cursor, limit);
    const bodies = occurrences.map((row) => toBody(OccurrenceSummarySchema, row));
    const listed = include === undefined ? bodies : await deps.findPeople(bodies);
    return c.json(
      { occurrences: listed, nextCursor: nextAfter && occurrenceCursor.encode(nextAfter) },
      200,
    );
  });

  const get = createRoute({
    operationId: 'getOccurrence',
    ...needs('deliveries:read', 'Occurrences'),
    summary: 'Get an occurrence',
    description:
      'With every attempt and the response to it. Once it was erased with its user, the answer is 410, with the time.',
    method: 'get',
    path: '/v1/occurrences/{key}',
    request: { query: noQuery, params: occurrenceKeyParam },
    responses: {
      200: { description: 'The occurrence', content: json(OccurrenceRecordSchema) },
      ...problems(400, 404, 410),
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
    description:
      'With every attempt and the response to it. The latest due instant first, after those without one. `next` is the next occurrence, on the first page only; null until the user has been planned.',
    method: 'get',
    path: '/v1/users/{id}/occurrences',
    request: { query: z.strictObject(pageParams(occurrenceCursor)), params: userIdParam },
    responses: {
      200: {
        description: 'What was sent to the user, and what comes next',
        content: json(
          z
            .object({
              // Not nullable(): that would make every OccurrenceRecord of the document nullable.
              next: z.union([OccurrenceRecordSchema, z.null()]),
              occurrences: z.array(OccurrenceRecordSchema),
              nextCursor,
            })
            .openapi('UserOccurrences'),
        ),
      },
      ...problems(400, 404),
    },
  });
  app.openapi(listOfUser, async (c) => {
    const { id } = await deps.users.get(c.req.valid('param').id);
    const { limit, cursor = null } = c.req.valid('query');
    const { occurrences, nextAfter } = await deps.occurrences.findOfUser(id, cursor, limit);
    const next = cursor === null ? await deps.occurrences.findNextOfUser(id) : null;
    return c.json(
      {
        next: next && recordBody(next),
        occurrences: occurrences.map(recordBody),
        nextCursor: nextAfter && occurrenceCursor.encode(nextAfter),
      },
      200,
    );
  });
}

const ListedSchema = withUser(OccurrenceSummarySchema).openapi('ListedOccurrence');
