/**
 * The command `npm run forecast [-- --from INSTANT --to INSTANT --json]`: how many occurrences
 * fall due, as bars by the hour, and the fullest minutes by name. Reads DATABASE_URL, or when
 * that is not set asks the Daybell that runs at HOST and PORT. Exit code 2 for bad input.
 */
import { parseArgs } from 'node:util';

import { instantFault } from '../time/instant.ts';
import { askRunningApi, endUnanswered, EXIT } from '../cli/command.ts';
import { loadSettings, requireSettings, type Settings } from '../platform/settings/settings.ts';
import { connectOrm } from '../platform/database/orm.ts';
import { loadTzDatabase } from '../platform/load-tz-database.ts';
import { type ForecastBody, forecastBody, ForecastSchema } from './body.ts';
import { forecastChart } from './chart.ts';
import { forecast } from './forecast.ts';
import { type AskedWindow, forecastWindow, windowFaults } from './window.ts';

const USAGE = 'Usage: npm run forecast [-- --from INSTANT --to INSTANT --json]';

interface Request {
  readonly asked: AskedWindow;
  readonly isJson: boolean;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const request = readRequest();
  if (request === null) return EXIT.badInput;
  try {
    const settings = loadSettings();
    const found =
      settings.DATABASE_URL === undefined
        ? await askApi(settings, request.asked)
        : await readDatabase(settings, request.asked);
    const text = request.isJson ? `${JSON.stringify(found, null, 2)}\n` : forecastChart(found);
    process.stdout.write(text);
    return 0;
  } catch (error) {
    return endUnanswered('forecast', error);
  }
}

/** What was asked for; null, after saying why, when it cannot be answered. */
function readRequest(): Request | null {
  try {
    const { values } = parseArgs({
      options: {
        from: { type: 'string' },
        to: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    for (const name of ['from', 'to'] as const) {
      const rule = values[name] === undefined ? null : instantFault(values[name]);
      if (rule !== null) return refuse(`--${name} ${rule}.`);
    }
    const asked = { from: epochMs(values.from), to: epochMs(values.to) };
    const [fault] = windowFaults(asked, Date.now());
    if (fault !== undefined) return refuse(`--${fault.field} ${fault.rule}.`);
    return { asked, isJson: values.json };
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function epochMs(instant: string | undefined): number | null {
  return instant === undefined ? null : Date.parse(instant);
}

function refuse(why: string): null {
  process.stderr.write(`${why}\n${USAGE}\n`);
  return null;
}

async function readDatabase(given: Settings, asked: AskedWindow): Promise<ForecastBody> {
  const settings = requireSettings(given, 'DATABASE_URL');
  const orm = await connectOrm(settings.DATABASE_URL, { poolSize: 1 });
  try {
    const deps = {
      orm,
      tz: loadTzDatabase(settings.ZONE_DATA),
      dateSettings: {
        leapDayPolicy: settings.LEAP_DAY_POLICY,
        localTime: settings.DELIVERY_LOCAL_TIME,
      },
      clock: Date.now,
    };
    return forecastBody(await forecast(deps, forecastWindow(asked, Date.now())));
  } finally {
    await orm.close(true);
  }
}

async function askApi(settings: Settings, { from, to }: AskedWindow): Promise<ForecastBody> {
  const query = new URLSearchParams();
  if (from !== null) query.set('from', new Date(from).toISOString());
  if (to !== null) query.set('to', new Date(to).toISOString());
  return ForecastSchema.parse(await askRunningApi(settings, `/v1/forecast?${query.toString()}`));
}
