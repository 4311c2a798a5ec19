import { createRoute, z } from '@hono/zod-openapi';

import { forecast } from '../../forecast/forecast.ts';
import { ForecastSchema } from '../../forecast/schema.ts';
import { forecastWindow, windowFault } from '../../forecast/window.ts';
import { needs } from '../access.ts';
import { createConcurrencyLimit } from '../concurrency-limit.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import { instantParam, json } from '../schemas.ts';

export function registerForecast(app: Api, deps: ApiDeps): void {
  const { clock } = deps.forecast;
  const route = createRoute({
    operationId: 'forecast',
    ...needs('deliveries:read', 'Operation'),
    summary: 'Forecast what falls due, by minute and zone',
    description:
      'Counts occurrences that are planned in the ledger, and computes later ones from the users. The window begins now unless `from` is given, and lasts 24 hours unless `to` is given; at most 400 days.',
    method: 'get',
    path: '/v1/forecast',
    request: {
      query: z
        .strictObject({
          from: instantParam('Due instants from this one on; not in the past'),
          to: instantParam('Due instants before this one'),
        })
        .transform(({ from = null, to = null }, context) => {
          const asked = { from, to };
          const fault = windowFault(asked, clock());
          if (fault === null) return forecastWindow(asked, clock());
          context.addIssue({ code: 'custom', path: [fault.field], message: fault.rule });
          return z.NEVER;
        }),
    },
    responses: {
      200: { description: 'The forecast', content: json(ForecastSchema) },
      ...problems(400),
    },
  });
  const limit = createConcurrencyLimit();
  app.openapi(route, async (c) => {
    const window = c.req.valid('query');
    return c.json(await limit(() => forecast(deps.forecast, window)), 200);
  });
}
