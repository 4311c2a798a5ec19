import { createRoute, z } from '@hono/zod-openapi';

import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { occurrenceKeyParam, OccurrenceRecordSchema, recordBody } from '../occurrence-schemas.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../request-log.ts';
import { noQuery } from '../user-schemas.ts';

/** POST /v1/occurrences/{key}/redeliver */
export function registerRedeliverOccurrence(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'redeliverOccurrence',
    ...needs('deliveries:write'),
    tags: ['Occurrences'],
    summary: 'Send a FAILED or SKIPPED occurrence again',
    description:
      'With the same `webhook-id`; the attempts are counted on, and GIVE_UP_AFTER counts from the first of the new ones. LATE_LIMIT does not apply, nor does it matter whether the user has moved since. It becomes PENDING, behind what is on time. 409 when it is open, was delivered (unless forced), is being sent again already, or its user was deleted.',
    method: 'post',
    path: '/v1/occurrences/{key}/redeliver',
    request: {
      query: noQuery,
      params: occurrenceKeyParam,
      body: { content: { 'application/json': { schema: RedeliverSchema } } },
    },
    responses: {
      202: {
        description: 'It is going to be sent',
        content: { 'application/json': { schema: RedeliverySchema } },
      },
      ...problems(400, 404, 409, 415),
    },
  });

  app.openapi(route, async (c) => {
    const { key } = c.req.valid('param');
    const { force = false } = c.req.valid('json');
    await deps.redelivery.redeliver(key, { force });
    loggerOf(c, deps.logger).info({ occurrenceKey: key, force }, 'redelivery');
    return c.json({ occurrence: recordBody(await deps.occurrences.get(key)) }, 202);
  });
}

const RedeliverSchema = z
  .strictObject({
    force: z.boolean('must be true or false').optional().openapi({
      description: 'Send it although it was delivered. The occurrence keeps when that was',
      default: false,
    }),
  })
  .openapi('Redeliver');

const RedeliverySchema = z
  .object({
    occurrence: OccurrenceRecordSchema,
  })
  .openapi('Redelivery');
