/**
 * `npm run bench:import`: how fast a CSV file of users is imported, by the API's own process over
 * HTTP, and planned by a scheduler at the same time, on a PostgreSQL of its own and without Temporal.
 * Beside it, as the floor: COPY of the same rows into the same tables. A few of the file's rows are
 * faulty.
 *
 * --users N        (100000)
 * --faulty N       (300) rows that are refused
 * --api-heap N     MB of heap that the API may have; as Node has it, when not given
 * --data DIR       (data/bench) where the server keeps its data; emptied
 */
import { rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { connectOrm } from '../src/platform/database/orm.ts';
import { migrate } from '../src/platform/database/run-migrations.ts';
import { recordRules } from '../src/planning/rules.ts';
import { loadTzDatabase } from '../src/platform/load-tz-database.ts';
import { machineFacts } from './report/machine-facts.ts';
import { duration, table } from './report/table.ts';
import { copyFloor, COPIED } from './support/copy-floor.ts';
import { importFile, writePeople } from './support/import-file.ts';
import { importProcesses } from './support/import-processes.ts';
import { readOptions } from './support/options.ts';
import { untilPlanned } from './support/planned-users.ts';
import { usageOf } from './support/process-usage.ts';
import { createProgress } from './support/progress.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';
import { startPostgres } from './support/start-postgres.ts';

const SAMPLE_EVERY_MS = 200;

await runBench(measure);

async function measure(context: BenchContext): Promise<void> {
  const options = readOptions(process.argv.slice(2), ['users', 'faulty', 'api-heap', 'data']);
  const users = options.number('users', 100_000);
  const faulty = options.number('faulty', 300, 0);
  const progress = createProgress((text) => process.stdout.write(text));
  const data = resolve(options.text('data', 'data/bench'));
  const databaseUrl = await startPostgres(data, progress, context);
  const orm = await connectOrm(databaseUrl, { queryTimeoutMs: 0 });
  context.atTheEnd(() => orm.close(true));
  const tzVersion = loadTzDatabase('newest').version;
  const rules = { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion } as const;
  await migrate(orm, (em) => recordRules(em, rules));

  const file = join(data, 'people.csv');
  context.atTheEnd(() => rm(file, { force: true }));
  await writePeople(file, users, faulty);
  progress.say(
    `${users} users and ${faulty} faulty rows in ${Math.round((await stat(file)).size / 1e6)} MB`,
  );

  const heapMb = options.number('api-heap', 0, 0);
  const { api, scheduler, url } = await importProcesses(databaseUrl, heapMb, context);
  let peakBytes = 0;
  const sampling = setInterval(() => {
    peakBytes = Math.max(peakBytes, usageOf(api, false)?.memoryBytes ?? 0);
  }, SAMPLE_EVERY_MS);
  context.atTheEnd(async () => clearInterval(sampling));

  progress.say('importing');
  const startedAt = performance.now();
  const answer = await importFile(url, file);
  const storedMs = performance.now() - startedAt;
  await untilPlanned(orm);
  const plannedMs = performance.now() - startedAt;
  clearInterval(sampling);
  const cpu = [api, scheduler].map((pid) => usageOf(pid, false)?.cpuSeconds ?? NaN);

  progress.say('the same rows by COPY');
  const floorMs = await copyFloor(databaseUrl, join(data, 'copy'));

  const rate = (ms: number): string => String(Math.round((users * 1_000) / ms));
  const rows = [
    ['stored', rate(storedMs), duration(storedMs)],
    ['stored and planned', rate(plannedMs), duration(plannedMs)],
    ['COPY, nothing planned', rate(floorMs), duration(floorMs)],
  ];
  const { cores, processor, node } = machineFacts();
  process.stdout.write(`\n${table(['', 'users/s', 'took'], rows)}\n
API: ${Math.round(peakBytes / 1e6)} MB at most, ${cpu[0]?.toFixed(1)} s of CPU; scheduler: ${cpu[1]?.toFixed(1)} s of CPU
refused ${answer.refused} of ${answer.rows} rows; COPY wrote ${COPIED.join(', ')}
${cores} × ${processor}, Node ${node}\n\n`);
  if (answer.refused !== faulty || answer.users.created !== users) {
    throw new Error(`not what the file has: ${JSON.stringify(answer)}`);
  }
}
