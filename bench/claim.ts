/**
 * `npm run bench:claim`: what it takes to claim 500 rows, among few planned occurrences and among
 * very many; and among very many once more, after a herd was sent while a snapshot was held open,
 * so that nothing of it can be cleaned up.
 *
 * --few N      (10000) planned
 * --many N     (1000000) planned
 * --sent N     (100000) sent while the snapshot is open
 * --claims N   (15) of each, in turns
 * --data DIR   (data/bench) where the server keeps its data; emptied
 */
import { createLedger, type Ledger } from '../src/ledger/ledger.ts';
import type { ClaimedOccurrence, RecordedAttempt } from '../src/ledger/types.ts';
import { connectOrm, type Orm } from '../src/platform/database/orm.ts';
import { migrate } from '../src/platform/database/run-migrations.ts';
import { machineFacts } from './report/machine-facts.ts';
import { duration, table } from './report/table.ts';
import { connectDatabases } from './support/databases.ts';
import { readOptions } from './support/options.ts';
import { createProgress } from './support/progress.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';
import { startPostgres } from './support/start-postgres.ts';
import { distributionOf } from './support/statistics.ts';

const CLAIM = 500;
const MINUTE = 60_000;
const LEASE_MS = 30 * MINUTE;

/** Planned from an instant on, evenly over a time. */
const PLAN = `
  insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date, state,
    recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at, local_date, due_at,
    next_attempt_at, planned_at)
  select 'birthday:' || id || ':2027', 'birthday', id, id, '2027-05-20', 'PENDING', 'birthday',
    '1990-05-20', 'Europe/Berlin', '09:00', 'feb28', '2026c', now(), '2027-05-20', due_at, due_at, now()
  from (select gen_random_uuid() as id, now() + (:fromMs::float8
      + random() * :withinMs::float8) * interval '1 millisecond' as due_at
    from generate_series(1, :planned::int)) as users`;

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

  const plant = async (name: string, planned: number): Promise<Planted> => {
    progress.say(`${planned} planned`);
    const orm = await connectOrm(await databases.create(name), { queryTimeoutMs: 0 });
    context.atTheEnd(() => orm.close(true));
    await migrate(orm);
    await orm.em
      .fork()
      .execute(PLAN, { planned, fromMs: 60 * MINUTE, withinMs: 365 * 1_440 * MINUTE });
    await orm.em.fork().execute('vacuum analyze events.occurrences');
    return { orm, ledger: createLedger(orm, { lateAfterMs: 5 * MINUTE }), name, planned };
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
    rowOf(`among ${few.planned}`, before[0], before[0]),
    rowOf(`among ${many.planned}`, before[1], before[0]),
    rowOf(`among ${few.planned}, again`, after[0], after[0]),
    rowOf(`among ${many.planned}, ${sent} sent, snapshot open`, after[1], after[0]),
  ];
  const header = [`a claim of ${CLAIM}`, 'median', 'p95', 'longest', 'ratio'];
  const { cores, processor, node } = machineFacts();
  process.stdout.write(`\n${table(header, rows)}\n\n${cores} × ${processor}, Node ${node}\n\n`);
}

/** With the ratio of its median to another's. */
function rowOf(what: string, times: readonly number[] = [], to: readonly number[] = []): string[] {
  const { p50, p95, last } = distributionOf(times) ?? { p50: NaN, p95: NaN, last: NaN };
  const ratio = p50 / (distributionOf(to)?.p50 ?? NaN);
  return [what, duration(p50), duration(p95), duration(last), ratio.toFixed(2)];
}

interface Planted {
  readonly orm: Orm;
  readonly ledger: Ledger;
  readonly name: string;
  readonly planned: number;
}

/** How long each claim took, in ms, by database; in turns, so that both meet the same machine. */
async function claimInTurns(planted: readonly Planted[], claims: number): Promise<number[][]> {
  // The first warms up what is cached.
  for (const { orm } of planted) await makeDue(orm, (claims + 1) * CLAIM);
  for (const { ledger } of planted) await claim(ledger);
  const times = planted.map((): number[] => []);
  for (let nth = 0; nth < claims; nth += 1) {
    for (const [place, { ledger }] of planted.entries()) {
      const startedAt = performance.now();
      await claim(ledger);
      times[place]?.push(performance.now() - startedAt);
    }
  }
  return times;
}

/** Rows that have just fallen due, besides those that are planned. */
async function makeDue(orm: Orm, count: number): Promise<void> {
  await orm.em.fork().execute(PLAN, { planned: count, fromMs: -1_000, withinMs: 1 });
}

async function claim(ledger: Ledger): Promise<readonly ClaimedOccurrence[]> {
  const { claimed } = await ledger.claim({
    limit: CLAIM,
    now: Date.now(),
    leaseMs: LEASE_MS,
    takesExpired: true,
  });
  if (claimed.length !== CLAIM) throw new Error(`claimed ${claimed.length} of ${CLAIM}`);
  return claimed;
}

async function send({ orm, ledger }: Planted, count: number): Promise<void> {
  await makeDue(orm, Math.ceil(count / CLAIM) * CLAIM);
  for (let done = 0; done < count; done += CLAIM) {
    const { locked } = await ledger.record((await claim(ledger)).map(delivered));
    if (locked.length > 0) throw new Error(`${locked.length} rows are locked`);
  }
}

function delivered({
  key,
  destination,
  leaseToken,
  dueAt,
  localDate,
}: ClaimedOccurrence): RecordedAttempt {
  return {
    key,
    destination,
    leaseToken,
    dueAt,
    localDate,
    redelivered: false,
    sentBy: 'dispatcher',
    startedAt: Date.now(),
    durationMs: 1,
    outcome: 'delivered',
    status: 200,
    errorCode: null,
    responseExcerpt: null,
    next: { kind: 'delivered', at: Date.now() },
    slowsDestination: false,
    retryAfterMs: null,
  };
}

/**
 * As a backup or a long report holds one: what was changed since cannot be cleaned up. On a
 * connection of its own: in the callback of `transactional`, the work would be part of the
 * transaction, in whatever database it meant to be.
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
