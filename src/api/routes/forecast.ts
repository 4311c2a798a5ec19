import { createRoute, z } from '@hono/zod-openapi';

import { forecast } from '../../forecast/forecast.ts';
import { LISTED_DAYS, listForecast } from '../../forecast/forecast-list.ts';
import { createRecentForecasts } from '../../forecast/recent-forecasts.ts';
import { ForecastSchema } from '../../forecast/schema.ts';
import { type AskedWindow, forecastWindow, windowFault } from '../../forecast/window.ts';
import { needs, requireScope } from '../access.ts';
import { createConcurrencyLimit } from '../concurrency-limit.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { filterFields, includeParam, nominalDate, withUser } from '../schemas/occurrences.ts';
import { problems } from '../problem.ts';
import {
  forecastCursor,
  instantParam,
  json,
  nextCursor,
  pageParams,
  timezoneParam,
  toBody,
} from '../schemas/common.ts';

const windowFields = {
  from: instantParam('Due instants from this one on; not in the past'),
  to: instantParam('Due instants before this one'),
};
const { occasionType } = filterFields;
const MAX_AGE_RULE = 'must be a number of seconds from 0 to 3600';
const maxAge = z
  .string({ error: MAX_AGE_RULE })
  .regex(/^\d{1,4}$/, MAX_AGE_RULE)
  .transform(Number)
  .refine((seconds) => seconds <= 3_600, MAX_AGE_RULE)
  .default(0)
  .openapi({ type: 'integer', minimum: 0, maximum: 3_600, default: 0 })
  .describe('In seconds: how old the forecast may be, if `to` is given and `from` is not');

export function registerForecast(app: Api, deps: ApiDeps): void {
  const { clock } = deps.forecast;
  const limit = createConcurrencyLimit();
  const findRecent = createRecentForecasts(
    (window, type) => limit(() => forecast(deps.forecast, window, type)),
    clock,
  );
  /** Reports a window that cannot be forecast. */
  const windowOf = (asked: AskedWindow, context: z.RefinementCtx, longestDays?: number) => {
    const fault = windowFault(asked, clock(), longestDays);
    if (fault === null) return forecastWindow(asked, clock());
    context.addIssue({ code: 'custom', path: [fault.field], message: fault.rule });
    return z.NEVER;
  };

  const route = createRoute({
    operationId: 'forecast',
    ...needs('deliveries:read', 'Operation'),
    summary: 'Forecast what falls due, by minute, zone and occasion type',
    description:
      'Counts occurrences that are planned in the ledger, and computes later ones from users and their occasions. The window begins now unless `from` is given, and lasts 24 hours unless `to` is given; at most 400 days. With many users it takes seconds: with `maxAge`, the answer may be one that was computed before, as `forecastAt` says.',
    method: 'get',
    path: '/v1/forecast',
    request: {
      query: z
        .strictObject({ ...windowFields, occasionType, maxAge })
        .transform(({ from = null, to = null, occasionType: type = null, maxAge }, context) => ({
          window: windowOf({ from, to }, context),
          type,
          // Only for a window that begins now, and whose end is the same each time.
          maxAgeMs: from === null && to !== null ? maxAge * 1_000 : 0,
        })),
    },
    responses: {
      200: { description: 'The forecast', content: json(ForecastSchema) },
      ...problems(400),
    },
  });
  app.openapi(route, async (c) => {
    const { window, type, maxAgeMs } = c.req.valid('query');
    const found =
      maxAgeMs > 0
        ? findRecent(window.until, type, maxAgeMs)
        : limit(() => forecast(deps.forecast, window, type));
    return c.json(await found, 200);
  });

  const list = createRoute({
    operationId: 'listForecast',
    ...needs('deliveries:read', 'Operation'),
    summary: 'List the occurrences behind the numbers of a forecast',
    description: `The occurrences that the forecast of the same window counts in \`due\`: first those that are planned, by due instant, then the others, by user. Name an end of the window, so that all pages are about the same one; it is at most ${LISTED_DAYS} days long.`,
    method: 'get',
    path: '/v1/forecast/occurrences',
    request: {
      query: z
        .strictObject({
          ...windowFields,
          occasionType,
          timezone: timezoneParam('The zone of the occurrence'),
          include: includeParam,
          ...pageParams(forecastCursor),
        })
        .transform(({ from = null, to = null, ...query }, context) => ({
          ...query,
          window: windowOf({ from, to }, context, LISTED_DAYS),
        })),
    },
    responses: {
      200: {
        description: 'A page of occurrences',
        content: json(
          z
            .object({ occurrences: z.array(ListedSchema), nextCursor })
            .openapi('ForecastOccurrencePage'),
        ),
      },
      ...problems(400),
    },
  });
  app.openapi(list, async (c) => {
    const query = c.req.valid('query');
    if (query.include !== undefined) requireScope(c, deps, 'users:read');
    const filter = { type: query.occasionType ?? null, timezone: query.timezone ?? null };
    const { items, next } = await limit(() =>
      listForecast(deps.forecast, query.window, filter, query.cursor ?? null, query.limit),
    );
    const bodies = items.map((item) => toBody(ForecastOccurrenceSchema, item));
    const listed = query.include === undefined ? bodies : await deps.findPeople(bodies);
    return c.json({ occurrences: listed, nextCursor: next && forecastCursor.encode(next) }, 200);
  });
}

const ForecastOccurrenceSchema = z.object({
  key: z.string(),
  occasionType: z.string().openapi({ example: 'birthday' }),
  occasionId: z.uuid(),
  userId: z.uuid(),
  nominalDate,
  localDate: z.iso.date(),
  timezone: z.string(),
  dueAt: z.iso.datetime(),
  planned: z.boolean().describe('Planned in the ledger; otherwise computed'),
});

const ListedSchema = withUser(ForecastOccurrenceSchema).openapi('ForecastOccurrence');
