/**
 * `npm run bench:audit`: how long the audit of a day takes with very many users: for an ordinary
 * day, and for 1 January, when a quarter of them is due.
 *
 * --users N              (1000000)
 * --temporal dev|postgres, --shards N, --out DIR, --data DIR
 */
import { auditDay } from '../src/audit/audit-day.ts';
import { connectOrm } from '../src/platform/database/orm.ts';
import { loadTzDatabase } from '../src/platform/load-tz-database.ts';
import { duration, table } from './report/table.ts';
import { openDaybellBench } from './support/daybell-bench.ts';
import { plantLivedYear } from './support/lived-year.ts';
import { COMMON_OPTIONS, commonOptions, readOptions } from './support/options.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';

const HOUR = 3_600_000;
const PLACEHOLDER_OF = 4;

await runBench(audit);

async function audit(context: BenchContext): Promise<void> {
  const options = readOptions(process.argv.slice(2), [...COMMON_OPTIONS, 'users']);
  const users = options.number('users', 1_000_000);
  const bench = await openDaybellBench('audit', commonOptions(options, 'audit'), context);
  const { databaseUrl, progress } = bench;
  const year = new Date().getUTCFullYear() - 1;
  progress.say(`${users} users get a year of history, deliveries and attempts`);
  await plantLivedYear(databaseUrl, { users, year, placeholderOf: PLACEHOLDER_OF });

  const orm = await connectOrm(databaseUrl);
  context.atTheEnd(() => orm.close(true));
  const deps = {
    orm,
    tz: loadTzDatabase('newest'),
    limits: { lateAfterMs: HOUR / 12, lateLimitMs: 48 * HOUR, giveUpAfterMs: 72 * HOUR },
    clock: Date.now,
  } as const;
  const days = [];
  for (const date of [`${year}-05-20`, `${year}-01-01`]) {
    const startedAt = performance.now();
    const { due, delivered, unaccounted, doubles, unexpected } = await auditDay(deps, date);
    const durationMs = Math.round(performance.now() - startedAt);
    const wrong = unaccounted.count + doubles.count + unexpected.count;
    days.push({ date, due, delivered, wrong, durationMs });
  }
  const rows = days.map(({ date, due, delivered, wrong, durationMs }) =>
    [date, due, delivered, wrong, duration(durationMs)].map(String),
  );
  process.stdout.write(`\n${table(['day', 'due', 'delivered', 'wrong', 'took'], rows)}\n\n`);
  bench.write({ users, days });
  const failed = days.some(({ due, delivered, wrong }) => wrong > 0 || delivered !== due);
  if (failed) throw new Error('the audit does not confirm that everything was delivered once');
}
