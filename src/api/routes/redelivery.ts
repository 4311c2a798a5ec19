import { createRoute, z } from '@hono/zod-openapi';

import type { OccurrenceFilter } from '../../ledger/occurrence-filter.ts';
import { ONLY_BY_NAME } from '../../ledger/redelivery.ts';
import { isoInstant } from '../../time/instant.ts';
import { needs } from '../access.ts';
import { emptyIsNoBody } from '../body.ts';
import type { Api, ApiDeps } from '../deps.ts';
import {
  checkFilter,
  filterFields,
  filterOf,
  occurrenceKeyParam,
  OccurrenceRecordSchema,
  recordBody,
} from '../occurrence-schemas.ts';
import { LOGGED, noteOperation } from '../operator-log.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../requests.ts';
import { json, noQuery, requiredBody } from '../schemas.ts';

export function registerRedelivery(app: Api, deps: ApiDeps): void {
  const one = createRoute({
    operationId: 'redeliverOccurrence',
    ...needs('deliveries:write', 'Occurrences'),
    ...LOGGED,
    summary: 'Redeliver an occurrence',
    description:
      'Sends a FAILED or SKIPPED occurrence again, with the same `webhook-id`. It becomes PENDING, behind what is on time. Attempt numbers continue, and GIVE_UP_AFTER counts from the first new attempt. LATE_LIMIT does not apply, and it does not matter whether the user has moved since. 409 if the occurrence is open, was delivered (unless `force` is set), is being redelivered already, or its user was deleted.',
    method: 'post',
    path: '/v1/occurrences/{key}/redeliver',
    middleware: emptyIsNoBody,
    request: {
      query: noQuery,
      params: occurrenceKeyParam,
      body: { content: json(RedeliverSchema) },
    },
    responses: {
      202: {
        description: 'The occurrence will be sent',
        content: json(z.object({ occurrence: OccurrenceRecordSchema }).openapi('Redelivery')),
      },
      ...problems(400, 404, 409, 415),
    },
  });
  app.openapi(one, async (c) => {
    const { key } = c.req.valid('param');
    const { force = false } = c.req.valid('json');
    await noteOperation(c, { force });
    await deps.redelivery.redeliver(key, { force });
    loggerOf(c, deps.logger).info({ occurrenceKey: key, force }, 'redelivery');
    return c.json({ occurrence: recordBody(await deps.occurrences.get(key)) }, 202);
  });

  const byFilter = createRoute({
    operationId: 'redeliverOccurrences',
    ...needs('deliveries:write', 'Occurrences'),
    ...LOGGED,
    summary: 'Redeliver occurrences by filter',
    description:
      'Sends all matching FAILED and SKIPPED occurrences again that are settled by now and whose users exist. Delivered ones are never included: redeliver them one by one, with `force`. Occurrences that ended with one of these reasons are included only if `reason` names it: superseded, suspended, date_changed, user_deleted, occasion_deleted. With `dryRun` nothing is sent, and the response has the number of matches.',
    method: 'post',
    path: '/v1/occurrences/redeliver',
    request: { query: noQuery, body: requiredBody(RedeliverManySchema) },
    responses: {
      200: {
        description: 'A dry run: how many would be sent',
        content: json(
          z.object({ matching: z.int().describe('Number of matches') }).openapi('Matching'),
        ),
      },
      202: {
        description: 'The occurrences will be sent',
        content: json(
          z
            .object({ redelivered: z.int().describe('How many will be sent') })
            .openapi('Redelivered'),
        ),
      },
      ...problems(400, 415),
    },
  });
  app.openapi(byFilter, async (c) => {
    const { dryRun = false, reason = null, status = null, ...rest } = c.req.valid('json');
    const filter = { status, reason, ...filterOf(rest) };
    if (dryRun) {
      await c.get('operation')?.discard();
      const { matching } = await deps.redelivery.count(filter);
      return c.json({ matching }, 200);
    }
    await noteOperation(c, { filter: given(filter) }, filter.userId);
    const redelivered = await deps.redelivery.redeliverAll(filter);
    await noteOperation(c, { redelivered });
    loggerOf(c, deps.logger).info({ filter, redelivered }, 'redelivery by filter');
    return c.json({ redelivered }, 202);
  });
}

/** A filter without what it leaves open; instants as ISO 8601. */
function given({ from, to, ...rest }: Partial<OccurrenceFilter>): Record<string, unknown> {
  const filter = { ...rest, from: isoInstant(from ?? null), to: isoInstant(to ?? null) };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== null));
}

const RedeliverSchema = z
  .strictObject({
    force: z.boolean('must be true or false').optional().openapi({
      description: 'Send it even if it was delivered. `deliveredAt` is kept',
      default: false,
    }),
  })
  .openapi('Redeliver');

const REASONS = ['refused', 'gone', 'gave_up', 'too_late', ...ONLY_BY_NAME] as const;

const narrowing = {
  status: z
    .enum(['FAILED', 'SKIPPED'], 'must be FAILED or SKIPPED')
    .optional()
    .describe('Both if absent'),
  reason: z.enum(REASONS, `must be one of ${REASONS.join(', ')}`).optional(),
  ...filterFields,
};

const RedeliverManySchema = z
  .strictObject({
    ...narrowing,
    dryRun: z.boolean('must be true or false').optional().openapi({ default: false }),
  })
  .superRefine((input, context) => {
    checkFilter(input, context);
    // Everything that ever failed is rarely meant, and a lot.
    if (!Object.keys(input).some((name) => Object.hasOwn(narrowing, name))) {
      const message = `must have one of ${Object.keys(narrowing).join(', ')}`;
      context.addIssue({ code: 'custom', path: [], message });
    }
  })
  .openapi('RedeliverMany');
