import { z } from '@hono/zod-openapi';

import type { DueMinute, Forecast } from './forecast.ts';

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

/** docs/operations.md says what to do with it. */
export const ForecastSchema = z
  .object({
    from: z.iso.datetime(),
    to: z.iso.datetime().openapi({ description: 'Not in it' }),
    forecastAt: z.iso.datetime(),
    settings: z
      .object({ localTime: z.string(), leapDayPolicy: z.string(), tzVersion: z.string() })
      .openapi({ description: 'Those in force, for what the ledger has not planned yet' }),
    due: count('All occurrences that fall due'),
    planned: count('Of these, planned in the ledger; the others are computed from users'),
    blocked: count(
      'Not in due: their zone is unknown here, so they cannot be planned. Counted by UTC',
    ),
    peaks: z
      .array(MinuteSchema)
      .openapi({ description: 'The ten fullest minutes, the fullest first' }),
    hours: z
      .array(z.object({ at: z.iso.datetime(), due: z.int() }))
      .openapi({ description: 'Each hour, in UTC, in which any is due' }),
    minutes: z.array(MinuteSchema).nullable().openapi({
      description: 'Each minute in which any is due; null for a window of more than 31 days',
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
    peaks: peaks.map(minuteBody),
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
