/**
 * `npm run bench:forecast`: how long a forecast takes over many users, on a PostgreSQL of its
 * own. They are born on any day from 1950 to 2009, a quarter of them (a placeholder) on
 * 1 January, and live in 40 zones; nine of ten are planned.
 *
 * --users N    (1000000)
 * --data DIR   (data/bench) where the server keeps its data; emptied
 */
import { join } from 'node:path';

import { readMachine } from '../src/config/machine.ts';
import { takeDataDir } from '../src/dev/data-dir.ts';
import { freePorts } from '../src/dev/free-ports.ts';
import { stopLeftovers } from '../src/dev/leftovers.ts';
import { prepareEmbeddedPostgres } from '../src/dev/postgres/embedded.ts';
import { createProcessRecord } from '../src/dev/process-record.ts';
import { createSupervisor } from '../src/dev/supervisor.ts';
import { forecast, type ForecastDeps } from '../src/forecast/forecast.ts';
import { connectOrm, migrate } from '../src/persistence/orm.ts';
import { recordRules } from '../src/planning/rules.ts';
import { createBundledZoneLaw } from '../src/zones/load-zone-law.ts';
import { duration, table } from './report/table.ts';
import { emptyFolder } from './support/empty-folder.ts';
import { loadForecastUsers } from './support/forecast-users.ts';
import { readOptions } from './support/options.ts';
import { createProgress, type Progress } from './support/progress.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';
import { benchTerminal } from './support/terminal.ts';

const DAY_MS = 86_400_000;
/** From now, and where the placeholder is: the fullest day there is. */
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
  // Loading takes minutes; the forecast itself has the limit that it has in the API.
  const loader = await connectOrm(databaseUrl, { queryTimeoutMs: 0 });
  context.atTheEnd(() => loader.close(true));
  const law = createBundledZoneLaw();
  await migrate(loader, (em) =>
    recordRules(em, { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion: law.version }),
  );
  progress.say(`loading ${users} users`);
  await loadForecastUsers(loader, users);

  const orm = await connectOrm(databaseUrl, { poolSize: 1 });
  context.atTheEnd(() => orm.close(true));
  const deps: ForecastDeps = {
    orm,
    law,
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

async function startPostgres(
  folder: string,
  progress: Progress,
  { atTheEnd }: BenchContext,
): Promise<string> {
  const dataDir = await takeDataDir(folder);
  await stopLeftovers(dataDir.path, progress.say);
  await emptyFolder(dataDir.path);
  const [port = 0] = await freePorts(1);
  const postgres = await prepareEmbeddedPostgres({
    dataDir: dataDir.path,
    port,
    connections: 10,
    path: readMachine().path,
    onProgress: progress.say,
  });
  const record = createProcessRecord(dataDir.path);
  const terminal = benchTerminal(progress, join(dataDir.path, 'processes.log'));
  const supervisor = createSupervisor({ terminal, record });
  atTheEnd(async () => {
    await supervisor.stop();
    record.clear();
    dataDir.release();
  });
  const failed = supervisor.failed.then((error) => Promise.reject(error));
  await Promise.race([supervisor.start([postgres.child]), failed]);
  return postgres.url;
}
