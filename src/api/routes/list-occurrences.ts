import { createRoute, z } from '@hono/zod-openapi';

import { ruled } from '../../users/user-input.ts';
import { needs } from '../access.ts';
import { decodePlace, encodePlace } from '../cursor.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { limitParam } from '../limit-param.ts';
import { checkFilter, filterFields, filterOf, queryFlag } from '../occurrence-filter.ts';
import { OccurrenceSummarySchema, summaryBody } from '../occurrence-schemas.ts';
import { problems } from '../problem.ts';

/** GET /v1/occurrences */
export function registerListOccurrences(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'listOccurrences',
    ...needs('deliveries:read'),
    tags: ['Occurrences'],
    summary: 'What is planned, under way, delivered or given up',
    description:
      'By fire instant, the earliest first, a page at a time; what has no instant, because it cannot be planned, comes last.',
    method: 'get',
    path: '/v1/occurrences',
    request: {
      query: z
        .strictObject({
          ...filterFields(queryFlag),
          limit: limitParam(50),
          cursor: ruled((cursor) => (decodePlace(cursor) === null ? 'must be a nextCursor' : null))
            .optional()
            .openapi({ description: 'The nextCursor of the page before, with the same filter' }),
        })
        .superRefine(checkFilter),
    },
    responses: {
      200: {
        description: 'A page of occurrences',
        content: {
          'application/json': {
            schema: z
              .object({
                occurrences: z.array(OccurrenceSummarySchema),
                nextCursor: z.string().nullable().openapi({ description: 'Null on the last page' }),
              })
              .openapi('OccurrencePage'),
          },
        },
      },
      ...problems(400),
    },
  });

  app.openapi(route, async (c) => {
    const { limit, cursor, ...filter } = c.req.valid('query');
    const after = cursor === undefined ? null : decodePlace(cursor);
    const page = await deps.occurrences.findPage(filterOf(filter), after, limit);
    const nextCursor = page.nextAfter === null ? null : encodePlace(page.nextAfter);
    return c.json({ occurrences: page.occurrences.map(summaryBody), nextCursor }, 200);
  });
}
