import { createRoute, z } from '@hono/zod-openapi';

import { getOccurrence } from '../../events/get-occurrence.ts';
import { redeliverOccurrence } from '../../events/redeliver-occurrence.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { occurrenceKeyParam, OccurrenceRecordSchema, recordBody } from '../occurrence-schemas.ts';
import { problems, temporalProblem } from '../problem.ts';
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
      'With the same `webhook-id`; the attempts are counted on, and GIVE_UP_AFTER counts from the first of the new ones. LATE_LIMIT does not apply, nor does it matter whether the user has moved since. A workflow of its own does it; the occurrence is PROCESSING as soon as that has begun. 409 when it is live, was delivered (unless forced), is being redelivered already, or nobody is left to be greeted.',
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
      ...temporalProblem,
    },
  });

  app.openapi(route, async (c) => {
    const { key } = c.req.valid('param');
    const { force = false } = c.req.valid('json');
    const { workflowId } = await redeliverOccurrence(
      { ...deps, logger: loggerOf(c, deps.logger) },
      { key, force },
    );
    return c.json({ workflowId, occurrence: recordBody(await getOccurrence(deps, key)) }, 202);
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
    workflowId: z.string().openapi({
      description: "In Temporal's Web UI",
      example: 'redelivery/birthday:01939d1c-0000-7000-8000-000000000000:2027',
    }),
    occurrence: OccurrenceRecordSchema,
  })
  .openapi('Redelivery');
