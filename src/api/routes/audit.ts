import { createRoute, z } from '@hono/zod-openapi';

import { auditDateFault, auditDay } from '../../audit/audit-day.ts';
import { auditClassFault, listAudited } from '../../audit/audit-list.ts';
import { AuditSchema } from '../../audit/report.ts';
import { ruled } from '../../users/user.ts';
import { needs, requireScope } from '../access.ts';
import { createConcurrencyLimit } from '../concurrency-limit.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { filterFields, includeParam, nominalDate, withUser } from '../schemas/occurrences.ts';
import { problems } from '../problem.ts';
import { auditCursor, json, nextCursor, noQuery, pageParams, toBody } from '../schemas/common.ts';

const params = z.object({
  date: ruled(auditDateFault).openapi({
    param: { name: 'date', in: 'path' },
    description: "The day of sending, on each user's own calendar",
    format: 'date',
    example: '2027-05-20',
  }),
});

export function registerAudit(app: Api, deps: ApiDeps): void {
  const limit = createConcurrencyLimit();
  const route = createRoute({
    operationId: 'auditDay',
    ...needs('deliveries:read', 'Operation'),
    summary: 'Audit a day',
    description:
      'Compares what fell due on a day, computed from the history of schedule inputs and never from the ledger, with what the ledger says became of it. Every occurrence is in exactly one class, and `unaccounted` must be 0.',
    method: 'get',
    path: '/v1/audit/{date}',
    request: { query: noQuery, params },
    responses: {
      200: { description: 'The audit', content: json(AuditSchema) },
      ...problems(400),
    },
  });
  app.openapi(route, async (c) => {
    const { date } = c.req.valid('param');
    return c.json(await limit(() => auditDay(deps.audit, date)), 200);
  });

  const list = createRoute({
    operationId: 'listAudited',
    ...needs('deliveries:read', 'Operation'),
    summary: 'List the occurrences behind the numbers of an audit',
    description:
      'The occurrences that fell due on a day, with what became of each, in the order of users. A page of a rare class takes as long as the audit.',
    method: 'get',
    path: '/v1/audit/{date}/occurrences',
    request: {
      query: z.strictObject({
        class: ruled(auditClassFault).optional().openapi({
          description: 'A class of the audit, or a part of one; all if it is not given',
          example: 'failed.gone',
        }),
        occasionType: filterFields.occasionType,
        include: includeParam,
        ...pageParams(auditCursor),
      }),
      params,
    },
    responses: {
      200: {
        description: 'A page of occurrences',
        content: json(
          z
            .object({ occurrences: z.array(ListedSchema), nextCursor })
            .openapi('AuditedOccurrencePage'),
        ),
      },
      ...problems(400, 410),
    },
  });
  app.openapi(list, async (c) => {
    const { class: className = null, occasionType: type = null, ...query } = c.req.valid('query');
    if (query.include !== undefined) requireScope(c, deps, 'users:read');
    const { date } = c.req.valid('param');
    const place = query.cursor ?? { after: null, listed: 0 };
    const filter = { className, type };
    const { items, next } = await limit(() =>
      listAudited(deps.audit, date, filter, place, query.limit),
    );
    const bodies = items.map((item) => toBody(AuditedOccurrenceSchema, item));
    const listed = query.include === undefined ? bodies : await deps.findPeople(bodies);
    return c.json({ occurrences: listed, nextCursor: next && auditCursor.encode(next) }, 200);
  });
}

/** The outcome of one occurrence, according to the audit. */
const AuditedOccurrenceSchema = z.object({
  class: z.string().openapi({ example: 'failed.gone' }),
  key: z.string(),
  occasionType: z.string().openapi({ example: 'birthday' }),
  occasionId: z.uuid(),
  userId: z.uuid(),
  nominalDate,
  localDate: z.iso.date().nullable(),
  timezone: z.string(),
  dueAt: z.iso.datetime().nullable(),
  attempts: z.int(),
});

const ListedSchema = withUser(AuditedOccurrenceSchema).openapi('AuditedOccurrence');
