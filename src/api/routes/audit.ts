import { createRoute, z } from '@hono/zod-openapi';

import { auditDateFault, auditDay } from '../../audit/audit-day.ts';
import { AuditSchema } from '../../audit/report.ts';
import { ruled } from '../../users/user-input.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { busyProblem, problems } from '../problem.ts';
import { createTurns } from '../turns.ts';
import { noQuery } from '../user-schemas.ts';

/** GET /v1/audit/{date} */
export function registerAudit(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'auditDay',
    ...needs('deliveries:read'),
    tags: ['Operation'],
    summary: 'Audit a day',
    description:
      'Compares what fell due on a day, from the history of dates and zones and never from the ledger, with what became of each occurrence, from the ledger. Each is in exactly one class, and `unaccounted` must be 0.',
    method: 'get',
    path: '/v1/audit/{date}',
    request: {
      query: noQuery,
      params: z.object({
        date: ruled(auditDateFault).openapi({
          param: { name: 'date', in: 'path' },
          description: "The day of sending, on the users' own calendars",
          format: 'date',
          example: '2027-05-20',
        }),
      }),
    },
    responses: {
      200: {
        description: 'The audit',
        content: { 'application/json': { schema: AuditSchema } },
      },
      ...problems(400),
      ...busyProblem,
    },
  });

  const takeTurns = createTurns();
  app.openapi(route, async (c) => {
    const { date } = c.req.valid('param');
    return c.json(await takeTurns(() => auditDay(deps.audit, date)), 200);
  });
}
