/** Loads users from a file, plans them, and notifies their workflows for a while. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { freePorts } from '../../dev/ports.ts';
import { duration, table } from '../report/table.ts';
import { importFile, writePeople } from '../support/import-file.ts';
import { sampleSleepers } from '../support/sleepers.ts';
import { bytesOf, sizesTable, tableSizes, type TableSize } from '../support/table-sizes.ts';
import { type MillionBench, timed } from './million-bench.ts';

/** Nothing listens there: a scheduler plans without Temporal. */
const NO_TEMPORAL = { TEMPORAL_ADDRESS: '127.0.0.1:1' };

/** Counting a million takes a tenth of a second of the database's time. */
const COUNT_EVERY_MS = 2_000;
const SAY_EVERY_MS = 15_000;

export interface BroughtIn {
  readonly storedMs: number;
  readonly plannedMs: number;
  readonly sizes: readonly TableSize[];
  readonly bytesPerUser: number;
}

/** First stored by an import over HTTP, and then planned, so that each has its own rate. */
export async function bringIn(bench: MillionBench): Promise<BroughtIn> {
  const { daybell, installation, ledger, meter, options, orm, print, progress, untilNone } = bench;
  const { users } = options;
  const file = join(installation.dataDir, 'people.csv');
  await writePeople(file, users, 0);
  const [port = 0] = await freePorts(1);
  await meter.stage('start');
  await daybell.start(['api'], { PORT: String(port) });

  progress.say(`${users} users are imported`);
  await meter.stage('store');
  const counting = setInterval(() => {
    void ledger.waitingInOutbox().then(
      (count) => progress.say(`${count} of ${users} stored`),
      () => {},
    );
  }, SAY_EVERY_MS);
  const importing = timed(() => importFile(`http://127.0.0.1:${port}`, file));
  const stored = await importing.finally(() => clearInterval(counting));
  await rm(file);
  if (stored.result.users.created !== users) throw new Error('not all users were imported');

  progress.say('they are planned');
  await meter.stage('plan');
  await daybell.start(['scheduler'], NO_TEMPORAL);
  const planned = await timed(() =>
    untilNone('not planned yet', ledger.waitingInOutbox, Infinity, COUNT_EVERY_MS),
  );
  await daybell.stop();

  await meter.stage('vacuum');
  await orm.em.fork().execute('vacuum analyze');
  const sizes = await tableSizes(orm);
  const rate = (ms: number): string => String(Math.round((users * 1_000) / ms));
  print(
    `${users} users`,
    table(
      ['', 'took', 'users/s'],
      [
        ['stored', duration(stored.tookMs), rate(stored.tookMs)],
        ['planned', duration(planned.tookMs), rate(planned.tookMs)],
      ],
    ),
  );
  print('On disk, after VACUUM', sizesTable(sizes, users));
  return {
    storedMs: stored.tookMs,
    plannedMs: planned.tookMs,
    sizes,
    bytesPerUser: Math.round(bytesOf(sizes) / users),
  };
}

export interface Notified {
  readonly notified: number;
  readonly tookMs: number;
  readonly perSecond: number;
  /** In Temporal's databases, for each started workflow. */
  readonly bytesPerWorkflow: number;
  /** Of a workflow with a delayed start. */
  readonly historyBytes: number;
  /** Computed: the rest, at the same rate and size. */
  readonly left: { readonly workflows: number; readonly ms: number; readonly bytes: number };
}

const SAMPLE = 20;

/** Until all are notified, or this many minutes are over. The scheduler continues for the day. */
export async function notify(bench: MillionBench): Promise<Notified> {
  const { daybell, installation, ledger, meter, options, print, progress, untilNone } = bench;
  const { users, notifyMinutes } = options;
  progress.say(`workflows are notified, for ${notifyMinutes} minutes at the most`);
  const bytesBefore = await installation.temporalBytes();
  await meter.stage('start of the scheduler');
  await daybell.start(['scheduler'], {});
  await meter.stage('notify');
  const before = await ledger.notified();
  const deadline = Date.now() + notifyMinutes * 60_000;
  const { tookMs } = await timed(() =>
    untilNone(
      'not notified yet',
      async () => users - (await ledger.notified()),
      deadline,
      COUNT_EVERY_MS,
    ),
  );
  const all = await ledger.notified();
  const notified = all - before;
  await daybell.stop();

  const bytesPerWorkflow = Math.round(
    ((await installation.temporalBytes()) - bytesBefore) / Math.max(1, all),
  );
  const sample = await sampleSleepers(
    installation.temporal.address,
    await ledger.someNotified(SAMPLE),
  );
  await sample.close();
  const perSecond = (notified * 1_000) / tookMs;
  const workflows = users - all;
  const left = {
    workflows,
    ms: Math.round((workflows / perSecond) * 1_000),
    bytes: workflows * bytesPerWorkflow,
  };
  print(
    'Workflows',
    table(
      ['', 'workflows', 'took', 'a second', 'bytes each', 'GB'],
      [
        [
          'notified',
          String(notified),
          duration(tookMs),
          perSecond.toFixed(0),
          String(bytesPerWorkflow),
          ((all * bytesPerWorkflow) / 1e9).toFixed(2),
        ],
        [
          'the rest (computed)',
          String(workflows),
          duration(left.ms),
          perSecond.toFixed(0),
          String(bytesPerWorkflow),
          (left.bytes / 1e9).toFixed(2),
        ],
      ],
    ),
  );
  const { historyBytes } = sample;
  return { notified, tookMs, perSecond, bytesPerWorkflow, historyBytes, left };
}
