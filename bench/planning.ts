/**
 * `npm run bench:planning`: how fast new users are planned, from waiting in the outbox to a row
 * in the ledger, on a PostgreSQL of its own and without Temporal. They are born on any day from
 * 1950 to 2009, a quarter of them (a placeholder) on 1 January, and live in 40 zones; the outbox
 * has ten entries that are done for each that waits.
 *
 * --users N        (20000) in each run
 * --runs N         (3)
 * --planned N      (100000) users who are planned before
 * --data DIR       (data/bench) where the server keeps its data; emptied
 */
import { readFileSync } from 'node:fs';

import { pino } from 'pino';

import { connectOrm, type Orm } from '../src/platform/database/orm.ts';
import { migrate } from '../src/platform/database/run-migrations.ts';
import { createOutboxConsumer } from '../src/planning/outbox-consumer.ts';
import { createRequestsFirst } from '../src/planning/pace/requests-first.ts';
import { recordRules } from '../src/planning/rules.ts';
import { createOutbox } from '../src/users/outbox.ts';
import { loadBundledTzDatabase } from '../src/platform/load-tz-database.ts';
import { machineFacts } from './report/machine-facts.ts';
import { duration, table } from './report/table.ts';
import { readOptions } from './support/options.ts';
import { createBenchPlanner, loadWaitingUsers, untilPlanned } from './support/planned-users.ts';
import { usageOf } from './support/process-usage.ts';
import { createProgress } from './support/progress.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';
import { startPostgres } from './support/start-postgres.ts';

await runBench(measure);

async function measure(context: BenchContext): Promise<void> {
  const options = readOptions(process.argv.slice(2), ['users', 'runs', 'planned', 'data']);
  const users = options.number('users', 20_000);
  const runs = options.number('runs', 3);
  const planned = options.number('planned', 100_000, 0);
  const progress = createProgress((text) => process.stdout.write(text));
  const databaseUrl = await startPostgres(options.text('data', 'data/bench'), progress, context);
  const loader = await connectOrm(databaseUrl, { queryTimeoutMs: 0 });
  context.atTheEnd(() => loader.close(true));
  const tz = loadBundledTzDatabase();
  const rules = { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion: tz.version } as const;
  await migrate(loader, (em) => recordRules(em, rules));
  const postgres = await postmasterOf(loader);

  const orm = await connectOrm(databaseUrl);
  context.atTheEnd(() => orm.close(true));
  const logger = pino({ level: 'warn' });
  const planner = createBenchPlanner({ orm, tz, logger });

  const planAll = async (count: number) => {
    await loadWaitingUsers(loader, count);
    const consumer = createOutboxConsumer({
      outbox: createOutbox(orm),
      planner,
      areRequestsSlow: createRequestsFirst(orm),
      logger,
    });
    const before = { cpu: process.cpuUsage(), postgres: usageOf(postgres, true) };
    const startedAt = performance.now();
    consumer.start();
    await untilPlanned(loader);
    const tookMs = performance.now() - startedAt;
    const own = process.cpuUsage(before.cpu);
    const database =
      (usageOf(postgres, true)?.cpuSeconds ?? NaN) - (before.postgres?.cpuSeconds ?? NaN);
    await consumer.stop();
    return { tookMs, ownMs: (own.user + own.system) / 1_000, databaseMs: database * 1_000 };
  };

  if (planned > 0) {
    progress.say(`planning ${planned} users who are there before`);
    await planAll(planned);
  }
  const rows: string[][] = [];
  for (let run = 1; run <= runs; run += 1) {
    progress.say(`run ${run}: ${users} users`);
    const { tookMs, ownMs, databaseMs } = await planAll(users);
    const perSecond = String(Math.round((users * 1_000) / tookMs));
    const cpu = [ownMs, databaseMs].map((ms) => (ms / users).toFixed(3));
    rows.push([String(run), perSecond, duration(tookMs), ...cpu]);
  }
  const header = ['run', 'users/s', 'took', 'scheduler: CPU ms/user', 'PostgreSQL: CPU ms/user'];
  const { cores, processor, node } = machineFacts();
  process.stdout.write(`\n${table(header, rows)}\n\n${cores} × ${processor}, Node ${node}\n\n`);
}

/** The server's first process, the parent of all processes that serve connections. */
async function postmasterOf(orm: Orm): Promise<number> {
  const [row] = await orm.em.fork().execute<{ pid: number }[]>('select pg_backend_pid() as pid');
  const status = readFileSync(`/proc/${row?.pid}/status`, 'utf8');
  return Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
}
