/**
 * `npm run bench:forecast`: how long a forecast takes over many users, on a PostgreSQL of its
 * own. They are born on any day from 1950 to 2009, a quarter of them (a placeholder) on
 * 1 January, and live in 40 zones; nine of ten are planned.
 *
 * --users N    (1000000)
 * --data DIR   (data/bench) where the server keeps its data; emptied
 */
import { forecast, type ForecastDeps } from '../src/forecast/forecast.ts';
import { connectOrm } from '../src/platform/database/orm.ts';
import { migrate } from '../src/platform/database/run-migrations.ts';
import { recordRules } from '../src/planning/rules.ts';
import { loadBundledTzDatabase } from '../src/platform/load-tz-database.ts';
import { duration, table } from './report/table.ts';
import { loadForecastUsers } from './support/forecast-users.ts';
import { readOptions } from './support/options.ts';
import { createProgress } from './support/progress.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';
import { startPostgres } from './support/start-postgres.ts';

const DAY_MS = 86_400_000;
/** From now, and around the placeholder date: the fullest day. */
const WINDOWS = [
  ['24 hours', 1],
  ['31 days', 31],
  ['400 days', 400],
] as const;
const RUNS = 3;

await runBench(measure);

async function measure(context: BenchContext): Promise<void> {
  const options = readOptions(process.argv.slice(2), ['users', 'data']);
  const users = options.number('users', 1_000_000);
  const progress = createProgress((text) => process.stdout.write(text));
  const databaseUrl = await startPostgres(options.text('data', 'data/bench'), progress, context);
  // Loading takes minutes; the forecast itself has the same limit as in the API.
  const loader = await connectOrm(databaseUrl, { queryTimeoutMs: 0 });
  context.atTheEnd(() => loader.close(true));
  const tz = loadBundledTzDatabase();
  await migrate(loader, (em) =>
    recordRules(em, { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion: tz.version }),
  );
  progress.say(`loading ${users} users`);
  await loadForecastUsers(loader, users);

  const orm = await connectOrm(databaseUrl, { poolSize: 1 });
  context.atTheEnd(() => orm.close(true));
  const deps: ForecastDeps = {
    orm,
    tz,
    clock: Date.now,
  };
  const rows: string[][] = [];
  for (const [name, days] of WINDOWS) {
    for (let run = 1; run <= RUNS; run += 1) {
      const from = Date.now();
      const startedAt = performance.now();
      const found = await forecast(deps, { from, until: from + days * DAY_MS });
      const tookMs = performance.now() - startedAt;
      rows.push([name, String(run), String(found.due), String(found.planned), duration(tookMs)]);
    }
  }
  const header = ['window', 'run', 'due', 'planned', 'took'];
  process.stdout.write(`\n${users} users\n\n${table(header, rows)}\n\n`);
}
