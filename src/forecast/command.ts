/**
 * `npm run forecast`: how many occurrences fall due, as bars by the hour, and the fullest minutes;
 * with `--list`, which ones. Reads DATABASE_URL, or asks the Daybell at HOST and PORT if that is
 * not set.
 */
import { answerCommand, type DatabaseSource, readOptions, refuseInput } from '../cli/answer.ts';
import { EXIT } from '../cli/command.ts';
import { LIST_PAGE, printList } from '../cli/occurrence-list.ts';
import { instantFault } from '../time/instant.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { DateSettingsInForce } from '../planning/date-settings.ts';
import { forecastChart } from './chart.ts';
import { forecast } from './forecast.ts';
import { type ForecastListPlace, LISTED_DAYS, listForecast } from './forecast-list.ts';
import { type Forecast, ForecastSchema } from './schema.ts';
import { forecastWindow, type Window, windowFault } from './window.ts';

const USAGE =
  'Usage: npm run forecast [-- --from INSTANT --to INSTANT --type TYPE --json | --list [--csv]]';

/** The columns of a list. Declared above the call, which would otherwise run before it. */
const COLUMNS = [
  'key',
  'occasionType',
  'nominalDate',
  'localDate',
  'timezone',
  'dueAt',
  'planned',
  'userId',
];

process.exitCode = await main();

async function main(): Promise<number> {
  const values = readOptions(
    {
      from: { type: 'string' },
      to: { type: 'string' },
      type: { type: 'string' },
      json: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      csv: { type: 'boolean', default: false },
    },
    USAGE,
  );
  if (values === null) return EXIT.badInput;
  const { json, list, csv, type, ...instants } = values;
  for (const name of ['from', 'to'] as const) {
    const rule = instants[name] === undefined ? null : instantFault(instants[name]);
    if (rule !== null) return refuseInput(`--${name} ${rule}.`, USAGE);
  }
  const now = Date.now();
  const asked = { from: epochMs(instants.from), to: epochMs(instants.to) };
  const fault = windowFault(asked, now, list ? LISTED_DAYS : undefined);
  if (fault !== null) return refuseInput(`--${fault.field} ${fault.rule}.`, USAGE);
  if (csv && !list) return refuseInput('--csv needs --list.', USAGE);

  const window = forecastWindow(asked, now);
  if (list) return listOccurrences(window, type ?? null, csv);
  const ofType = type === undefined ? {} : { occasionType: type };
  const question = {
    name: 'forecast',
    path: `/v1/forecast?${new URLSearchParams({ ...instants, ...ofType }).toString()}`,
    schema: ForecastSchema,
    readDatabase: (orm: Orm, { tz }: DateSettingsInForce) =>
      forecast({ orm, tz, clock: Date.now }, window, type),
  };
  return answerCommand<Forecast>(question, (found) => {
    process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : forecastChart(found));
    return 0;
  });
}

function epochMs(instant: string | undefined): number | null {
  return instant === undefined ? null : Date.parse(instant);
}

function listOccurrences(window: Window, type: string | null, isCsv: boolean): Promise<number> {
  // An explicit end, so that all pages are about the same window; it begins at the first request.
  const query = new URLSearchParams({
    to: new Date(window.until).toISOString(),
    ...(window.from > Date.now() && { from: new Date(window.from).toISOString() }),
    ...(type !== null && { occasionType: type }),
  });
  const list = {
    name: 'forecast',
    path: `/v1/forecast/occurrences?${query.toString()}`,
    columns: COLUMNS,
    readPage: ({ orm, inForce: { tz } }: DatabaseSource, place: ForecastListPlace | null) =>
      listForecast(
        { orm, tz, clock: Date.now },
        window,
        { type, timezone: null },
        place,
        LIST_PAGE,
      ),
  };
  return printList(list, isCsv);
}
