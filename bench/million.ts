/**
 * `npm run bench:million`: an installation with a million users, from their import to a year later,
 * on one machine. Each stage prints its table; the result has all of them, with the CPU seconds of
 * each process in each stage.
 *
 * 1. store, plan: an import over HTTP, then the scheduler, and what is on disk after it
 * 2. notify: workflows are started for some minutes; what the rest would take is computed
 * 3. day: those due in one instant of an ordinary day, beside 20 requests a second
 * 4. reads: claims and plans beside a ledger of few, reconcile, audit, forecast, pg_dump
 * 5. actions: what Temporal Cloud would charge for, counted in histories
 * 6. year: each day of a year is claimed, recorded and planned, as fast as it goes; claims are timed
 *    all along. Clocks of the database are set ahead: it comes last
 *
 * --users N              (1000000)
 * --stages LIST          (notify,day,reads,actions,year) after the first; actions needs day
 * --notify-minutes M     (5) at the most
 * --dispatchers N        (2) on the day
 * --few N                (10000) users of the ledger to compare with
 * --claims N             (15) of each, in turns; as many plans
 * --days N               (365) of the year
 * --storage S            storage settings of tables: `shipped`, as the migration has them (preset);
 *                        `default`, PostgreSQL's but for the fill factor; or storage parameters of
 *                        events.occurrences alone, such as autovacuum_vacuum_scale_factor=0.05
 * --shared-buffers SIZE  (2GB) of PostgreSQL, whose own default, 128MB, is too little for a million
 * --pg-dump PATH         of the server's version or newer; looked for without
 * --temporal dev|postgres, --shards N, --out DIR, --data DIR
 */
import { countActions } from './million/actions.ts';
import { bringIn, notify } from './million/bring-in.ts';
import { liveADay } from './million/day.ts';
import { openMillionBench } from './million/million-bench.ts';
import { millionOptions, NAMES } from './million/options.ts';
import {
  compare,
  dump,
  plantFew,
  printCommands,
  readCommands,
  reconcileOnce,
} from './million/reads.ts';
import { liveAYear } from './million/year.ts';
import { usageTable } from './report/usage-table.ts';
import { setStorage } from './support/autovacuum.ts';
import { openDaybellBench } from './support/daybell-bench.ts';
import { commonOptions, OptionError, readOptions } from './support/options.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';

await runBench(million);

async function million(context: BenchContext): Promise<void> {
  const given = readOptions(process.argv.slice(2), NAMES);
  const options = millionOptions(given);
  const { stages, users } = options;
  if (stages.has('actions') && !stages.has('day')) {
    throw new OptionError('--stages: actions are counted for users who are greeted on the day');
  }
  const common = { ...commonOptions(given, 'million'), sharedBuffers: options.sharedBuffers };
  const daybell = await openDaybellBench('million', common, context);
  const bench = await openMillionBench(daybell, options, context);
  await setStorage(bench.orm, options.storage);

  const result: Record<string, unknown> = { users, options: { ...options, stages: [...stages] } };
  /** Written after each stage, so that the results are kept if the next one fails. */
  const keep = async <Result>(stage: string, work: Promise<Result>): Promise<Result> => {
    const found = await work;
    result[stage] = found;
    bench.write(result);
    return found;
  };
  await keep('broughtIn', bringIn(bench));
  if (stages.has('notify')) await keep('notified', notify(bench));
  const commands = [];
  if (stages.has('day')) {
    const { dueAt, missing, duplicates, early } = await keep('day', liveADay(bench));
    if (missing + duplicates + early > 0)
      throw new Error('not every user was greeted once, in time');
    if (stages.has('reads')) commands.push(await reconcileOnce(bench));
    if (stages.has('actions')) await keep('actions', countActions(bench, dueAt));
    await bench.daybell.stop();
  }
  const few = stages.has('reads') || stages.has('year') ? await plantFew(bench) : null;
  if (few !== null) await setStorage(few.orm, options.storage);
  if (few !== null && stages.has('reads')) {
    await keep('compared', compare(bench, few));
    commands.push(...(await readCommands(bench)));
    printCommands(bench, commands);
    result['commands'] = commands;
    await keep('dump', dump(bench));
  }
  if (few !== null && stages.has('year')) await keep('year', liveAYear(bench, few));

  const usage = await bench.meter.stop();
  process.stdout.write(`\n${usageTable(`${users} users`, usage)}\n\n`);
  bench.write({ ...result, usage });
}
