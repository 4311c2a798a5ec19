import { createRoute, z } from '@hono/zod-openapi';

import { auditDateFault, auditDay } from '../../audit/audit-day.ts';
import { AuditSchema } from '../../audit/report.ts';
import { ruled } from '../../users/user.ts';
import { needs } from '../access.ts';
import { createConcurrencyLimit } from '../concurrency-limit.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import { json, noQuery } from '../schemas.ts';

export function registerAudit(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'auditDay',
    ...needs('deliveries:read', 'Operation'),
    summary: 'Audit a day',
    description:
      'Compares what fell due on a day, computed from the history of dates and zones and never from the ledger, with what the ledger says became of it. Every occurrence is in exactly one class, and `unaccounted` must be 0.',
    method: 'get',
    path: '/v1/audit/{date}',
    request: {
      query: noQuery,
      params: z.object({
        date: ruled(auditDateFault).openapi({
          param: { name: 'date', in: 'path' },
          description: "The day of sending, on each user's own calendar",
          format: 'date',
          example: '2027-05-20',
        }),
      }),
    },
    responses: {
      200: { description: 'The audit', content: json(AuditSchema) },
      ...problems(400),
    },
  });
  const limit = createConcurrencyLimit();
  app.openapi(route, async (c) => {
    const { date } = c.req.valid('param');
    return c.json(await limit(() => auditDay(deps.audit, date)), 200);
  });
}
