import { createRoute, z } from '@hono/zod-openapi';

import { forecast } from '../../events/forecast-due.ts';
import { type AskedWindow, forecastWindow, windowFaults } from '../../events/forecast-window.ts';
import { ruled } from '../../users/user-input.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { forecastBody, ForecastSchema } from '../forecast-schema.ts';
import { instantFault } from '../instant.ts';
import { busyProblem, problems } from '../problem.ts';
import { createTurns } from '../turns.ts';

/** GET /v1/forecast */
export function registerForecast(app: Api, deps: ApiDeps): void {
  const { clock } = deps.forecast;
  const route = createRoute({
    operationId: 'forecast',
    ...needs('deliveries:read'),
    tags: ['Operation'],
    summary: 'How many are due, by minute and zone, and the peaks',
    description:
      'From the ledger, and beyond what it has planned from the users. Without from, from now on; without to, for 24 hours; at most 400 days.',
    method: 'get',
    path: '/v1/forecast',
    request: {
      query: z
        .strictObject({
          from: instant('Fire instants from this one on; not in the past'),
          to: instant('Fire instants before this one'),
        })
        .superRefine((query, context) => {
          for (const { field, rule } of windowFaults(askedIn(query), clock())) {
            context.addIssue({ code: 'custom', path: [field], message: rule });
          }
        }),
    },
    responses: {
      200: {
        description: 'The forecast',
        content: { 'application/json': { schema: ForecastSchema } },
      },
      ...problems(400),
      ...busyProblem,
    },
  });

  const takeTurns = createTurns();
  app.openapi(route, async (c) => {
    const asked = askedIn(c.req.valid('query'));
    const found = await takeTurns(() => forecast(deps.forecast, forecastWindow(asked, clock())));
    return c.json(forecastBody(found), 200);
  });
}

function instant(description: string) {
  return ruled(instantFault).optional().openapi({ description, format: 'date-time' });
}

function askedIn(query: { from?: string | undefined; to?: string | undefined }): AskedWindow {
  return {
    from: query.from === undefined ? null : Date.parse(query.from),
    to: query.to === undefined ? null : Date.parse(query.to),
  };
}
