import { createRoute, z } from '@hono/zod-openapi';

import { SETTLED_WITHOUT_DELIVERY } from '../../domain/occurrence-state.ts';
import { redeliverOccurrences } from '../../events/redeliver-occurrences.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { checkFilter, filterFields, filterOf } from '../occurrence-filter.ts';
import { problems, temporalProblem } from '../problem.ts';
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
      'Those that were settled by now and whose users exist; never one that was delivered, which takes `force` and a request of its own. One workflow starts a redelivery for each, 25 a second. With `dryRun` only their number is told.',
    method: 'post',
    path: '/v1/occurrences/redeliver',
    request: {
      query: noQuery,
      body: { required: true, content: { 'application/json': { schema: redeliverMany(deps) } } },
    },
    responses: {
      200: {
        description: 'Nothing was started: a dry run, or nothing matches',
        content: { 'application/json': { schema: z.object({ matching }).openapi('Matching') } },
      },
      202: {
        description: 'They are going to be sent',
        content: { 'application/json': { schema: RedeliveryBatchSchema } },
      },
      ...problems(400, 415),
      ...temporalProblem,
    },
  });

  app.openapi(route, async (c) => {
    const { dryRun = false, reason = null, status = null, ...others } = c.req.valid('json');
    const { from, to, eventType, userId, timezone } = filterOf(others);
    const filter = { state: status, reason, from, to, eventType, userId, timezone };
    const { workflowId, matching } = await redeliverOccurrences(
      { ...deps, logger: loggerOf(c, deps.logger) },
      { ...filter, dryRun },
    );
    return workflowId === null ? c.json({ matching }, 200) : c.json({ workflowId, matching }, 202);
  });
}

const REASONS = ['refused', 'gone', 'gave_up', 'too_late', 'date_changed'] as const;

function redeliverMany({ eventTypes }: ApiDeps) {
  // Of a list's filter, what a FAILED or SKIPPED one can have.
  const { from, to, eventType, userId, timezone } = filterFields(eventTypes, () => z.boolean());
  const fields = {
    status: z
      .enum(SETTLED_WITHOUT_DELIVERY, 'must be FAILED or SKIPPED')
      .optional()
      .openapi({ description: 'Both, when not given' }),
    reason: z.enum(REASONS, `must be one of ${REASONS.join(', ')}`).optional(),
    from,
    to,
    eventType,
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

const RedeliveryBatchSchema = z
  .object({ workflowId: z.string().openapi({ description: "In Temporal's Web UI" }), matching })
  .openapi('RedeliveryBatch');
