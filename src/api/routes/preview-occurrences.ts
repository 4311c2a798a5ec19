import { createRoute, z } from '@hono/zod-openapi';

import { explainOccurrence } from '../../time/explain.ts';
import { dueDatesAfter } from '../../time/occurrence.ts';
import { refuseUnborn } from '../../users/refuse-unborn.ts';
import { ruled, userFields } from '../../users/user-input.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { instantFault } from '../../time/instant.ts';
import { problems } from '../problem.ts';
import { noQuery } from '../user-schemas.ts';

const COUNT_MAX = 50;
const COUNT_RULE = `must be a whole number from 1 to ${COUNT_MAX}`;

/** POST /v1/occurrences/preview */
export function registerPreviewOccurrences(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'previewOccurrences',
    ...needs('deliveries:read'),
    tags: ['Occurrences'],
    summary: 'When a user would be due, and why then',
    description: 'Saved nowhere.',
    method: 'post',
    path: '/v1/occurrences/preview',
    request: {
      query: noQuery,
      body: { required: true, content: { 'application/json': { schema: previewInput(deps) } } },
    },
    responses: {
      200: {
        description: 'The next occurrences',
        content: { 'application/json': { schema: PreviewSchema } },
      },
      ...problems(400, 413, 415),
    },
  });

  app.openapi(route, async (c) => {
    const { dateOfBirth, timezone, after, count, ...settings } = c.req.valid('json');
    const { tz } = deps;
    const now = deps.clock();
    const inputs = { ...(await deps.dateSettings()), ...given(settings), timezone };
    refuseUnborn({ dateOfBirth, timezone }, now, tz);

    const series = { date: dateOfBirth, recurrence: 'birthday' } as const;
    const afterMs = after === undefined ? now : Date.parse(after);
    const occurrences: z.input<typeof PreviewSchema>['occurrences'] = [];
    for (const { nominalDate } of dueDatesAfter({ ...series, ...inputs }, afterMs, tz)) {
      const { dueAt, ...explained } = explainOccurrence(nominalDate, inputs, tz);
      occurrences.push({ nominalDate, ...explained, dueAt: new Date(dueAt).toISOString() });
      if (occurrences.length === count) break;
    }
    return c.json({ tzVersion: tz.version, occurrences }, 200);
  });
}

/** Those that were given. */
function given<Fields extends object>(fields: Fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: NonNullable<Fields[Name]>;
  };
}

function previewInput(deps: ApiDeps) {
  const { dateOfBirth, timezone } = userFields(deps);
  return z
    .strictObject(
      {
        dateOfBirth,
        timezone,
        after: ruled(instantFault).optional().openapi({
          description: 'Occurrences after this instant; now, if absent',
          format: 'date-time',
        }),
        count: z.int(COUNT_RULE).min(1, COUNT_RULE).max(COUNT_MAX, COUNT_RULE).default(1),
        leapDayPolicy: z.enum(['feb28', 'mar1'], 'must be feb28 or mar1').optional().openapi({
          description:
            "Where a 29 February is kept in a common year; the installation's, if absent",
        }),
        localTime: z
          .string('must be a string')
          .regex(
            /^([01]\d|2[0-3]):[0-5]\d$/,
            'must be a wall-clock time HH:MM, from 00:00 to 23:59',
          )
          .optional()
          .openapi({ description: "The installation's, if absent", example: '09:00' }),
      },
      { error: 'must be a JSON object' },
    )
    .openapi('PreviewInput');
}

const PreviewSchema = z
  .object({
    tzVersion: z.string().openapi({ description: 'Of the tz database', example: '2026c' }),
    occurrences: z.array(
      z.object({
        nominalDate: z.string().openapi({
          description: 'The day that the rule names, even where it does not exist',
          example: '2027-02-29',
        }),
        localDate: z.iso.date(),
        localTime: z.string().openapi({ example: '09:00' }),
        dueAt: z.iso.datetime(),
        utcOffset: z.string().openapi({ example: '+02:00' }),
        explanation: z.string(),
      }),
    ),
  })
  .openapi('Preview');
