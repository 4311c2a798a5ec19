import { createRoute, z } from '@hono/zod-openapi';

import { needs } from '../access.ts';
import { emptyIsNoBody } from '../body.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { occurrenceKeyParam, OccurrenceRecordSchema, recordBody } from '../schemas/occurrences.ts';
import { LOGGED, noteOperation } from '../operator-log.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../requests.ts';
import { json, noQuery } from '../schemas/common.ts';

export function registerRetry(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'retryOccurrence',
    ...needs('deliveries:write', 'Occurrences'),
    ...LOGGED,
    summary: 'Try an occurrence again now',
    description:
      'Makes the next attempt of a waiting occurrence now, regardless of the retry schedule and `Retry-After`. Attempt numbers and GIVE_UP_AFTER continue. If it fails again, it waits as long as it would have after any other attempt. With no dispatcher alive, its workflow sends it the next time it wakes. 409, with its current state, if it does not wait, before its due instant, if another attempt has been made since, while deliveries to its destination are paused, and while its user or occasion is suspended.',
    method: 'post',
    path: '/v1/occurrences/{key}/retry',
    middleware: emptyIsNoBody,
    request: {
      query: noQuery,
      params: occurrenceKeyParam,
      body: { content: json(RetrySchema) },
    },
    responses: {
      202: {
        description: 'The occurrence will be sent',
        content: json(z.object({ occurrence: OccurrenceRecordSchema }).openapi('Retried')),
      },
      ...problems(400, 404, 409, 415),
    },
  });
  app.openapi(route, async (c) => {
    const { key } = c.req.valid('param');
    const { attemptCount = null } = c.req.valid('json');
    await noteOperation(c, { attemptCount });
    await deps.retryNow(key, attemptCount);
    loggerOf(c, deps.logger).info({ occurrenceKey: key }, 'retry now');
    return c.json({ occurrence: recordBody(await deps.occurrences.get(key)) }, 202);
  });
}

const RetrySchema = z
  .strictObject({
    attemptCount: z
      .int('must be a whole number')
      .min(0, 'must not be negative')
      .max(1_000_000, 'must be at most 1000000')
      .optional()
      .describe('Only if no other attempt has been made since this count was read'),
  })
  .openapi('Retry');
