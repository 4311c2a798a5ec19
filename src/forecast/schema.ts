import { z } from '@hono/zod-openapi';

import { PLACEHOLDER_YEARS } from '../time/placeholder-years.ts';

const count = (description: string) => z.int().openapi({ description });

const MinuteSchema = z
  .object({
    at: z.iso.datetime(),
    due: z.int(),
    zones: z
      .array(z.object({ timezone: z.string(), due: z.int() }))
      .openapi({ description: 'The fullest first' }),
    types: z
      .array(z.object({ type: z.string(), due: z.int() }))
      .openapi({ description: 'By occasion type, the fullest first' }),
  })
  .openapi('DueMinute');

const PeakSchema = MinuteSchema.extend({
  firstOfJanuary: count('Birthdays on 1 January, which systems write for an unknown date'),
  placeholderYears: count(
    `Birthdays with a year of birth that systems write for an unknown one: ${PLACEHOLDER_YEARS.join(', ')}`,
  ),
}).openapi('DuePeak');

const COUNTS = {
  due: count('All occurrences that fall due'),
  planned: count('Of these, planned in the ledger; the others are computed'),
  blocked: count('Not in due: cannot be planned, because the time zone is unknown here'),
  suspended: count('Not in due: nothing is sent, because the user or the occasion is suspended'),
};

/** How many occurrences fall due when; docs/forecast.md says how to use it. */
export const ForecastSchema = z
  .object({
    from: z.iso.datetime(),
    to: z.iso.datetime().openapi({ description: 'Not in it' }),
    forecastAt: z.iso.datetime(),
    settings: z
      .object({ localTime: z.string(), leapDayPolicy: z.string(), tzVersion: z.string() })
      .openapi({
        description:
          'The rules of the installation, for what is not planned yet; an occasion, user or type may have another local time',
      }),
    ...COUNTS,
    types: z
      .array(z.object({ type: z.string().openapi({ example: 'birthday' }), ...COUNTS }))
      .openapi({ description: 'The same of each occasion type that has any, by name' }),
    peaks: z
      .array(PeakSchema)
      .openapi({ description: 'The ten fullest minutes, the fullest first' }),
    hours: z
      .array(z.object({ at: z.iso.datetime(), due: z.int() }))
      .openapi({ description: 'Each hour, in UTC, in which any is due' }),
    minutes: z.array(MinuteSchema).nullable().openapi({
      description: 'Each minute in which any is due; null for a window of more than 31 days',
    }),
  })
  .openapi('Forecast');

export type Forecast = z.output<typeof ForecastSchema>;
export type DueMinute = z.output<typeof MinuteSchema>;
