import { createRoute, z } from '@hono/zod-openapi';

import { ONLY_BY_NAME } from '../../ledger/redelivery.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { checkFilter, filterFields, filterOf } from '../occurrence-filter.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../request-log.ts';
import { noQuery } from '../user-schemas.ts';

/** POST /v1/occurrences/redeliver */
export function registerRedeliverOccurrences(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'redeliverOccurrences',
    ...needs('deliveries:write'),
    tags: ['Occurrences'],
    summary: 'Send all FAILED and SKIPPED occurrences of a filter again',
    description:
      'Those that were settled by now and whose users exist; never one that was delivered, which takes `force` and a request of its own. Those that ended for one of these reasons are sent only when `reason` names it: superseded, suspended, date_changed, user_deleted, occasion_deleted. With `dryRun` nothing is sent, and the answer is their number.',
    method: 'post',
    path: '/v1/occurrences/redeliver',
    request: {
      query: noQuery,
      body: { required: true, content: { 'application/json': { schema: redeliverMany() } } },
    },
    responses: {
      200: {
        description: 'A dry run: how many would be sent',
        content: { 'application/json': { schema: z.object({ matching }).openapi('Matching') } },
      },
      202: {
        description: 'They are going to be sent',
        content: { 'application/json': { schema: RedeliveredSchema } },
      },
      ...problems(400, 415),
    },
  });

  app.openapi(route, async (c) => {
    const { dryRun = false, reason = null, status = null, ...others } = c.req.valid('json');
    const { from, to, occasionType, userId, timezone } = filterOf(others);
    const filter = { status, reason, from, to, occasionType, userId, timezone };
    if (dryRun) {
      const { matching } = await deps.redelivery.count(filter);
      return c.json({ matching }, 200);
    }
    const redelivered = await deps.redelivery.redeliverAll(filter);
    loggerOf(c, deps.logger).info({ filter, redelivered }, 'redelivery by filter');
    return c.json({ redelivered }, 202);
  });
}

const REASONS = ['refused', 'gone', 'gave_up', 'too_late', ...ONLY_BY_NAME] as const;

function redeliverMany() {
  // Of a list's filter, what a FAILED or SKIPPED one can have.
  const { from, to, occasionType, userId, timezone } = filterFields(() => z.boolean());
  const fields = {
    status: z
      .enum(['FAILED', 'SKIPPED'], 'must be FAILED or SKIPPED')
      .optional()
      .openapi({ description: 'Both, when not given' }),
    reason: z.enum(REASONS, `must be one of ${REASONS.join(', ')}`).optional(),
    from,
    to,
    occasionType,
    userId,
    timezone,
  };
  return z
    .strictObject({
      ...fields,
      dryRun: z.boolean('must be true or false').optional().openapi({ default: false }),
    })
    .superRefine((input, context) => {
      checkFilter(input, context);
      // All that ever failed is rarely meant, and much.
      const names = Object.keys(fields);
      if (!Object.keys(input).some((name) => names.includes(name))) {
        const message = `must have one of ${names.join(', ')}`;
        context.addIssue({ code: 'custom', path: [], message });
      }
    })
    .openapi('RedeliverMany');
}

const matching = z.int().openapi({ description: 'How many match' });

const RedeliveredSchema = z
  .object({ redelivered: z.int().openapi({ description: 'How many are sent again' }) })
  .openapi('Redelivered');
