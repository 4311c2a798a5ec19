/**
 * `npm run bench:claim`: how long a claim of 500 rows takes, with few and with very many planned
 * occurrences; and with very many again, after a herd was sent while a snapshot was held open, so
 * that none of its dead rows can be removed.
 *
 * --few N      (10000) planned
 * --many N     (1000000) planned
 * --sent N     (100000) sent while the snapshot is open
 * --claims N   (15) of each, in turns
 * --data DIR   (data/bench) where the server keeps its data; emptied
 */
import { createLedger } from '../src/ledger/ledger.ts';
import { connectOrm, type Orm } from '../src/platform/database/orm.ts';
import { migrate } from '../src/platform/database/run-migrations.ts';
import { machineFacts } from './report/machine-facts.ts';
import { ratioRow, table } from './report/table.ts';
import {
  CLAIM,
  claimInTurns,
  claimRows,
  delivered,
  type Planted,
  plantDue,
  plantPlans,
} from './support/claims.ts';
import { connectDatabases } from './support/databases.ts';
import { readOptions } from './support/options.ts';
import { createProgress } from './support/progress.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';
import { startPostgres } from './support/start-postgres.ts';

const MINUTE = 60_000;

await runBench(measure);

async function measure(context: BenchContext): Promise<void> {
  const names = ['few', 'many', 'sent', 'claims', 'data'];
  const options = readOptions(process.argv.slice(2), names);
  const sizes = { few: options.number('few', 10_000), many: options.number('many', 1_000_000) };
  const sent = options.number('sent', 100_000);
  const claims = options.number('claims', 15);
  const progress = createProgress((text) => process.stdout.write(text));
  const postgresUrl = await startPostgres(options.text('data', 'data/bench'), progress, context);
  const databases = await connectDatabases(postgresUrl);
  context.atTheEnd(() => databases.close());

  const plant = async (name: string, planned: number): Promise<Planted & { planned: number }> => {
    progress.say(`${planned} planned`);
    const orm = await connectOrm(await databases.create(name), { queryTimeoutMs: 0 });
    context.atTheEnd(() => orm.close(true));
    await migrate(orm);
    await plantPlans(orm, { planned, fromMs: 60 * MINUTE, withinMs: 365 * 1_440 * MINUTE });
    await orm.em.fork().execute('vacuum analyze events.occurrences');
    return { orm, ledger: createLedger(orm, { lateAfterMs: 5 * MINUTE }), planned };
  };
  const few = await plant('few', sizes.few);
  const many = await plant('many', sizes.many);

  const before = await claimInTurns([few, many], claims);
  progress.say(`${sent} sent among ${many.planned}, with a snapshot held open`);
  const after = await whileSnapshotIsOpen(many.orm, async () => {
    await send(many, sent);
    return claimInTurns([few, many], claims);
  });
  const rows = [
    ratioRow(`among ${few.planned}`, before[0], before[0]),
    ratioRow(`among ${many.planned}`, before[1], before[0]),
    ratioRow(`among ${few.planned}, again`, after[0], after[0]),
    ratioRow(`among ${many.planned}, ${sent} sent, snapshot open`, after[1], after[0]),
  ];
  const header = [`a claim of ${CLAIM}`, 'median', 'p95', 'longest', 'ratio'];
  const { cores, processor, node } = machineFacts();
  process.stdout.write(`\n${table(header, rows)}\n\n${cores} × ${processor}, Node ${node}\n\n`);
}

async function send({ orm, ledger }: Planted, count: number): Promise<void> {
  await plantDue(orm, Math.ceil(count / CLAIM) * CLAIM);
  for (let done = 0; done < count; done += CLAIM) {
    const { locked } = await ledger.record((await claimRows(ledger)).map((one) => delivered(one)));
    if (locked.length > 0) throw new Error(`${locked.length} rows are locked`);
  }
}

/**
 * As a backup or a long report holds one: dead rows of later changes cannot be removed. On its own
 * connection: in the callback of `transactional`, the work would be part of the transaction,
 * whatever database it is meant for.
 */
async function whileSnapshotIsOpen<Result>(orm: Orm, work: () => Promise<Result>): Promise<Result> {
  const em = orm.em.fork();
  await em.begin({ isolationLevel: 'repeatable read' });
  try {
    await em.execute('select count(*) from events.destinations');
    return await work();
  } finally {
    await em.rollback();
  }
}
