import { createRoute, z } from '@hono/zod-openapi';

import type { FailureGroup } from '../../ledger/failures.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { filterFields, filterOf } from '../schemas/occurrences.ts';
import { problems } from '../problem.ts';
import { json, toBody } from '../schemas/common.ts';

/** FAILED occurrences, grouped. */
export function registerFailures(app: Api, { failures }: Pick<ApiDeps, 'failures'>): void {
  const route = createRoute({
    operationId: 'groupFailures',
    ...needs('deliveries:read', 'Occurrences'),
    summary: 'Group failures',
    description:
      'Occurrences that are FAILED now, by reason and by the result of their last attempt, the largest group first. `status=FAILED` with the same filter lists them, and a redelivery with the same filter sends them again.',
    method: 'get',
    path: '/v1/occurrences/failures',
    request: {
      query: z
        .strictObject({ from, to, occasionType, destination })
        .refine(({ from, to }) => from === undefined || to === undefined || from < to, {
          path: ['to'],
          message: 'must be after from',
        }),
    },
    responses: {
      200: { description: 'The groups', content: json(FailuresSchema) },
      ...problems(400),
    },
  });
  app.openapi(route, async (c) => {
    const filter = filterOf(c.req.valid('query'));
    const { asOf, groups, occurrences, isComplete } = await failures.group(filter);
    return c.json(
      {
        asOf: new Date(asOf).toISOString(),
        occurrences,
        isComplete,
        groups: groups.map((group: FailureGroup) => toBody(GroupSchema, group)),
      },
      200,
    );
  });
}

const { from, to, occasionType, destination } = filterFields;

const GroupSchema = z
  .object({
    reason: z.string().openapi({ example: 'refused' }),
    answer: z.string().openapi({
      description:
        'The result of the last attempt: the HTTP status, or the error code if there was none; `none` if no attempt is kept',
      example: '400',
    }),
    occurrences: z.int(),
    redelivered: z.int().describe('How many of them had been sent again on request before'),
    firstDueAt: z.iso.datetime(),
    lastDueAt: z.iso.datetime(),
    lastSettledAt: z.iso.datetime().describe('When the last of them failed'),
  })
  .openapi('FailureGroup');

export const FailuresSchema = z
  .object({
    asOf: z.iso.datetime().describe('When they were counted, for `settledBy` of a redelivery'),
    occurrences: z.int().describe('Of all groups'),
    isComplete: z
      .boolean()
      .describe('False if there are more than 20000: those that were due last are grouped'),
    groups: z.array(GroupSchema),
  })
  .openapi('Failures');
