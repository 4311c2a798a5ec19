import { createRoute, z } from '@hono/zod-openapi';

import { type ExplainedOccasion, explainOccurrence } from '../../time/explain.ts';
import { dueDatesAfter } from '../../time/occurrence.ts';
import { type FieldFault, InvalidInputError } from '../../users/errors.ts';
import {
  BIRTHDAY_REMINDER,
  occasionFaults,
  occasionFields,
  recurrenceOf,
  typeFault,
  withImplied,
} from '../../users/occasion.ts';
import { absentIs, refuseUnborn, ruled, userFields } from '../../users/user.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { nominalDate as nominalDateSchema } from '../schemas/occurrences.ts';
import { problems } from '../problem.ts';
import { instantParam, json, noQuery, requiredBody } from '../schemas/common.ts';

const COUNT_MAX = 50;
const COUNT_RULE = `must be a whole number from 1 to ${COUNT_MAX}`;

export function registerPreview(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'previewOccurrences',
    ...needs('deliveries:read', 'Occurrences'),
    summary: 'Preview occurrences',
    description:
      'When a birthday or another occasion would be due, and why. Nothing is stored. Fewer than `count` if no more follow.',
    method: 'post',
    path: '/v1/occurrences/preview',
    request: { query: noQuery, body: requiredBody(previewInput(deps)) },
    responses: {
      200: { description: 'The next occurrences', content: json(PreviewSchema) },
      ...problems(400, 413, 415),
    },
  });
  app.openapi(route, async (c) => {
    const input = c.req.valid('json');
    const { tz } = deps;
    const now = deps.clock();
    const series = seriesOf(input);
    const { dateOfBirth, timezone } = input;
    if (dateOfBirth !== undefined) refuseUnborn({ dateOfBirth, timezone }, now, tz);

    const settings = (await deps.dateSettings())(input.type);
    const occasion: ExplainedOccasion = {
      ...series,
      timezone,
      offsetDays: input.offsetDays,
      leapDayPolicy: input.leapDayPolicy ?? settings.leapDayPolicy,
      localTime: input.deliveryTime ?? settings.localTime,
    };
    const occurrences: z.input<typeof PreviewSchema>['occurrences'] = [];
    for (const { nominalDate } of dueDatesAfter(occasion, input.after ?? now, tz)) {
      const { dueAt, ...explained } = explainOccurrence(nominalDate, occasion, tz);
      occurrences.push({ nominalDate, ...explained, dueAt: new Date(dueAt).toISOString() });
      if (occurrences.length === input.count) break;
    }
    return c.json({ tzVersion: tz.version, occurrences }, 200);
  });
}

type PreviewInput = z.output<ReturnType<typeof previewInput>>;

/** @throws InvalidInputError for fields that do not go together */
function seriesOf(
  input: PreviewInput,
): Pick<ExplainedOccasion, 'type' | 'date' | 'recurrence' | 'rrule'> {
  const fields = withImplied(input);
  const { type, dateOfBirth, rrule } = fields;
  const isBirthday = type === 'birthday';
  const followsBirth = isBirthday || type === BIRTHDAY_REMINDER;
  const faults: FieldFault[] = isBirthday ? birthdayFaults(fields) : occasionFaults(fields);
  if (followsBirth && dateOfBirth === undefined) {
    faults.unshift({ field: 'dateOfBirth', rule: 'is required' });
  } else if (!followsBirth && dateOfBirth !== undefined) {
    const rule = `must not be given: only a birthday and a ${BIRTHDAY_REMINDER} follow it`;
    faults.unshift({ field: 'dateOfBirth', rule });
  }
  const date = followsBirth ? dateOfBirth : fields.date;
  if (faults.length > 0 || date === undefined || date === null) throw new InvalidInputError(faults);
  return { type, date, recurrence: isBirthday ? 'birthday' : recurrenceOf(fields), rrule };
}

function birthdayFaults(input: PreviewInput): FieldFault[] {
  const given = [
    ...(['date', 'recurrence', 'rrule'] as const).filter((field) => input[field] !== null),
    ...(input.offsetDays === 0 ? [] : ['offsetDays']),
  ];
  return given.map((field) => ({ field, rule: 'must not be given for a birthday: name a type' }));
}

function previewInput(deps: ApiDeps) {
  const { dateOfBirth, timezone } = userFields(deps);
  const { date, recurrence, rrule, offsetDays, deliveryTime } = occasionFields(deps);
  return z
    .strictObject({
      type: ruled((type) => (type === 'birthday' ? null : typeFault(type)))
        .default('birthday')
        .openapi({ description: 'Of the occasion', example: 'subscription' }),
      dateOfBirth: dateOfBirth
        .optional()
        .describe(`Required for a birthday and a ${BIRTHDAY_REMINDER}, which follow it`),
      date: absentIs(null, date),
      recurrence: absentIs(null, recurrence),
      rrule: absentIs(null, rrule),
      offsetDays: absentIs(0, offsetDays),
      deliveryTime: absentIs(null, deliveryTime).describe(
        'By the clocks of the time zone; null: the default of the occasion type or the installation',
      ),
      timezone,
      after: instantParam('Occurrences after this instant; now if absent'),
      count: z.int(COUNT_RULE).min(1, COUNT_RULE).max(COUNT_MAX, COUNT_RULE).default(1),
      leapDayPolicy: z
        .enum(['feb28', 'mar1'], 'must be feb28 or mar1')
        .optional()
        .describe(
          "Which day replaces one that its month does not have; the type's or the installation's if absent",
        ),
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
