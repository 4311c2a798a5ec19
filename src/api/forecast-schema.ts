import { z } from '@hono/zod-openapi';

import type { DueMinute, Forecast } from '../events/forecast.ts';

const count = (description: string) => z.int().openapi({ description });

const MinuteSchema = z
  .object({
    at: z.iso.datetime(),
    due: z.int(),
    zones: z
      .array(z.object({ timezone: z.string(), due: z.int() }))
      .openapi({ description: 'The fullest first' }),
  })
  .openapi('DueMinute');

/** How many are due when: docs/operations.md says what to do with it. */
export const ForecastSchema = z
  .object({
    from: z.iso.datetime(),
    to: z.iso.datetime().openapi({ description: 'Not in it' }),
    forecastAt: z.iso.datetime(),
    settings: z
      .object({ localTime: z.string(), leapDayPolicy: z.string(), tzVersion: z.string() })
      .openapi({ description: 'By which users were resolved whom the ledger has not planned yet' }),
    armWindowMs: count('ARM_WINDOW, as this process has it'),
    due: count('All who are due; everybody once for each of their years'),
    planned: count('Of these, planned in the ledger; the others are computed from the users'),
    blocked: count('Besides: cannot be planned, for their zone is not known here. Counted by UTC'),
    peaks: z
      .array(
        MinuteSchema.extend({
          armedPerSecond: z.number().nullable().openapi({
            description:
              'Workflows that arm a second before it, by ARM_WINDOW; null when that is 0',
          }),
        }).openapi('Peak'),
      )
      .openapi({ description: 'The ten fullest minutes, the fullest first' }),
    hours: z
      .array(z.object({ at: z.iso.datetime(), due: z.int() }))
      .openapi({ description: 'Each hour, in UTC, in which anybody is due' }),
    minutes: z.array(MinuteSchema).nullable().openapi({
      description: 'Each minute in which anybody is due; null for a window of more than 31 days',
    }),
  })
  .openapi('Forecast');

export type ForecastBody = z.output<typeof ForecastSchema>;

/** Maps a forecast to what the API shows of it. */
export function forecastBody(forecast: Forecast): ForecastBody {
  const { from, to, forecastAt, peaks, hours, minutes } = forecast;
  return {
    ...forecast,
    from: iso(from),
    to: iso(to),
    forecastAt: iso(forecastAt),
    peaks: peaks.map(({ at, due, zones, armedPerSecond }) => ({
      at: iso(at),
      due,
      zones: [...zones],
      armedPerSecond,
    })),
    hours: hours.map(({ at, due }) => ({ at: iso(at), due })),
    minutes: minutes?.map(minuteBody) ?? null,
  };
}

function minuteBody({ at, due, zones }: DueMinute) {
  return { at: iso(at), due, zones: [...zones] };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
