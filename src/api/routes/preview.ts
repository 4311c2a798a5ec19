import { createRoute, z } from '@hono/zod-openapi';

import { explainOccurrence } from '../../time/explain.ts';
import { BIRTHDAY } from '../../ledger/occurrence-key.ts';
import { dueDatesAfter } from '../../time/occurrence.ts';
import { refuseUnborn, userFields } from '../../users/user.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { nominalDate as nominalDateSchema } from '../occurrence-schemas.ts';
import { problems } from '../problem.ts';
import { instantParam, json, noQuery, requiredBody } from '../schemas.ts';

const COUNT_MAX = 50;
const COUNT_RULE = `must be a whole number from 1 to ${COUNT_MAX}`;

export function registerPreview(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'previewOccurrences',
    ...needs('deliveries:read', 'Occurrences'),
    summary: 'Preview occurrences',
    description: 'When a user would be due, and why. Nothing is stored.',
    method: 'post',
    path: '/v1/occurrences/preview',
    request: { query: noQuery, body: requiredBody(previewInput(deps)) },
    responses: {
      200: { description: 'The next occurrences', content: json(PreviewSchema) },
      ...problems(400, 413, 415),
    },
  });
  app.openapi(route, async (c) => {
    const { dateOfBirth, timezone, after, count, leapDayPolicy, localTime } = c.req.valid('json');
    const { tz } = deps;
    const now = deps.clock();
    refuseUnborn({ dateOfBirth, timezone }, now, tz);

    const installed = await deps.dateSettings();
    const inputs = {
      leapDayPolicy: leapDayPolicy ?? installed.leapDayPolicy,
      localTime: localTime ?? installed.localTime,
      timezone,
      offsetDays: 0,
    };
    const series = {
      type: BIRTHDAY,
      date: dateOfBirth,
      recurrence: 'birthday',
      ...inputs,
    } as const;
    const occurrences: z.input<typeof PreviewSchema>['occurrences'] = [];
    for (const { nominalDate } of dueDatesAfter(series, after ?? now, tz)) {
      const { dueAt, ...explained } = explainOccurrence(nominalDate, series, tz);
      occurrences.push({ nominalDate, ...explained, dueAt: new Date(dueAt).toISOString() });
      if (occurrences.length === count) break;
    }
    return c.json({ tzVersion: tz.version, occurrences }, 200);
  });
}

function previewInput(deps: ApiDeps) {
  const { dateOfBirth, timezone } = userFields(deps);
  return z
    .strictObject({
      dateOfBirth,
      timezone,
      after: instantParam('Occurrences after this instant; now if absent'),
      count: z.int(COUNT_RULE).min(1, COUNT_RULE).max(COUNT_MAX, COUNT_RULE).default(1),
      leapDayPolicy: z
        .enum(['feb28', 'mar1'], 'must be feb28 or mar1')
        .optional()
        .describe("When a 29 February falls in a common year; the installation's if absent"),
      localTime: z
        .string('must be a string')
        .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time HH:MM, from 00:00 to 23:59')
        .optional()
        .openapi({ description: "The installation's if absent", example: '09:00' }),
    })
    .openapi('PreviewInput');
}

const PreviewSchema = z
  .object({
    tzVersion: z.string().openapi({ description: 'Of the tz database', example: '2026c' }),
    occurrences: z.array(
      z.object({
        nominalDate: nominalDateSchema,
        localDate: z.iso.date(),
        localTime: z.string().openapi({ example: '09:00' }),
        dueAt: z.iso.datetime(),
        utcOffset: z.string().openapi({ example: '+02:00' }),
        explanation: z.string(),
      }),
    ),
  })
  .openapi('Preview');
