import { createRoute } from '@hono/zod-openapi';

import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { occurrenceKeyParam, OccurrenceRecordSchema, recordBody } from '../occurrence-schemas.ts';
import { problems } from '../problem.ts';
import { noQuery } from '../user-schemas.ts';

/** GET /v1/occurrences/{key} */
export function registerGetOccurrence(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'getOccurrence',
    ...needs('deliveries:read'),
    tags: ['Occurrences'],
    summary: 'Did this user get theirs?',
    description: 'One occurrence with every attempt and what was answered.',
    method: 'get',
    path: '/v1/occurrences/{key}',
    request: { query: noQuery, params: occurrenceKeyParam },
    responses: {
      200: {
        description: 'The occurrence',
        content: { 'application/json': { schema: OccurrenceRecordSchema } },
      },
      ...problems(400, 404),
    },
  });

  app.openapi(route, async (c) => {
    const occurrence = await deps.occurrences.get(c.req.valid('param').key);
    return c.json(recordBody(occurrence), 200);
  });
}
