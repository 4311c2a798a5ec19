/**
 * `npm run forecast`: how many occurrences fall due, as bars by the hour, and the fullest minutes.
 * Reads DATABASE_URL, or asks the Daybell at HOST and PORT if that is not set.
 */
import { parseArgs } from 'node:util';

import { answerCommand, refuseInput } from '../cli/answer.ts';
import { instantFault } from '../time/instant.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { DateSettingsInForce } from '../planning/date-settings.ts';
import { forecastChart } from './chart.ts';
import { forecast } from './forecast.ts';
import { type Forecast, ForecastSchema } from './schema.ts';
import { forecastWindow, windowFault } from './window.ts';

const USAGE = 'Usage: npm run forecast [-- --from INSTANT --to INSTANT --json]';

process.exitCode = await main();

async function main(): Promise<number> {
  let values: { from?: string; to?: string; json: boolean };
  try {
    ({ values } = parseArgs({
      options: {
        from: { type: 'string' },
        to: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    return refuseInput(error instanceof Error ? error.message : String(error), USAGE);
  }
  for (const name of ['from', 'to'] as const) {
    const rule = values[name] === undefined ? null : instantFault(values[name]);
    if (rule !== null) return refuseInput(`--${name} ${rule}.`, USAGE);
  }
  const asked = { from: epochMs(values.from), to: epochMs(values.to) };
  const fault = windowFault(asked, Date.now());
  if (fault !== null) return refuseInput(`--${fault.field} ${fault.rule}.`, USAGE);

  const { json, ...instants } = values;
  const question = {
    name: 'forecast',
    path: `/v1/forecast?${new URLSearchParams(instants).toString()}`,
    schema: ForecastSchema,
    readDatabase: (orm: Orm, { tz }: DateSettingsInForce) =>
      forecast({ orm, tz, clock: Date.now }, forecastWindow(asked, Date.now())),
  };
  return answerCommand<Forecast>(question, (found) => {
    process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : forecastChart(found));
    return 0;
  });
}

function epochMs(instant: string | undefined): number | null {
  return instant === undefined ? null : Date.parse(instant);
}
