import { createRoute, z } from '@hono/zod-openapi';

import { forecast } from '../../forecast/forecast.ts';
import { ForecastSchema } from '../../forecast/schema.ts';
import { type AskedWindow, forecastWindow, windowFault } from '../../forecast/window.ts';
import { ruled } from '../../users/user-input.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { instantFault } from '../../time/instant.ts';
import { busyProblem, problems } from '../problem.ts';
import { createTurns } from '../turns.ts';

/** GET /v1/forecast */
export function registerForecast(app: Api, deps: ApiDeps): void {
  const { clock } = deps.forecast;
  const route = createRoute({
    operationId: 'forecast',
    ...needs('deliveries:read'),
    tags: ['Operation'],
    summary: 'Count what falls due by minute and zone',
    description:
      'Occurrences that the ledger has planned count as planned; those beyond are computed from the users. The window begins now unless from is given, and lasts 24 hours unless to is given; at most 400 days.',
    method: 'get',
    path: '/v1/forecast',
    request: {
      query: z
        .strictObject({
          from: instant('Due instants from this one on; not in the past'),
          to: instant('Due instants before this one'),
        })
        .superRefine((query, context) => {
          const fault = windowFault(askedIn(query), clock());
          if (fault === null) return;
          context.addIssue({ code: 'custom', path: [fault.field], message: fault.rule });
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
    return c.json(found, 200);
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
