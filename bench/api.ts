/**
 * `npm run bench:api`: the API's latency at a fixed rate of requests: alone, while a herd is sent,
 * while its workflows check, and while users are imported from a file.
 *
 * --users N              users that are there (100000)
 * --herd N               users due at one instant; 0 for none (10000)
 * --import N             users that are imported; 0 for none (100000)
 * --rate N               requests a second (100)
 * --seconds N            how long it is measured alone (60)
 * --look N               how many seconds after the herd, at the longest, while its workflows look (240)
 * --head-start, --plan-rate, --dispatchers   as of bench:herd
 * --temporal dev|postgres, --shards N, --out DIR, --data DIR
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePorts } from '../dev/ports.ts';
import { birthdayOf, dueAfterLoading, type TimingOptions } from './contenders/daybell-times.ts';
import { apiTable } from './report/api-table.ts';
import { usageTable } from './report/usage-table.ts';
import { createApiClient } from './support/api-client.ts';
import { startCrudLoad, type CrudLoadOptions, type CrudSample } from './support/crud-load.ts';
import { dispatchers } from './support/daybell-processes.ts';
import { openDaybellBench, type DaybellBench } from './support/daybell-bench.ts';
import { HERD_OPTIONS, herdOptions } from './support/herd-options.ts';
import { importFile, writePeople } from './support/import-file.ts';
import type { DueMinute } from './support/instants.ts';
import { distantBirthday, loadByStore } from './support/loading.ts';
import { COMMON_OPTIONS, commonOptions, readOptions } from './support/options.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';
import { sleepUntil } from './support/until.ts';

type Windows = Record<string, CrudSample[]>;

const NAMES = [
  ...COMMON_OPTIONS,
  ...HERD_OPTIONS,
  'users',
  'herd',
  'import',
  'rate',
  'seconds',
  'look',
];
/** No request waits for a connection, so that the API is measured, not the client. */
const SOCKETS = 256;
const READ_IDS = 1_000;
/** The longest time after the instant. */
const LIMIT_MS = 600_000;
/**
 * Code that has not run for a while is slow at first, in Node too: requests come at the rate for
 * this long before they count.
 */
const BEFORE_MS = 20_000;

await runBench(api);

async function api(context: BenchContext): Promise<void> {
  const options = readOptions(process.argv.slice(2), NAMES);
  const herd = options.number('herd', 10_000, 0);
  const users = options.number('users', 100_000) + herd;
  const imported = options.number('import', 100_000, 0);
  const requestsPerSecond = options.number('rate', 100);
  const seconds = options.number('seconds', 60);
  const look = options.number('look', 240);
  const bench = await openDaybellBench('api', commonOptions(options, 'api'), context);

  const timing = {
    ...herdOptions(options, users),
    load: 'store' as const,
    extraSeconds: seconds + (2 * BEFORE_MS) / 1_000,
  };
  const due = await loadAll(bench, users, herd, timing);
  const url = await startDaybell(bench, due, timing.dispatchers);
  await untilNotified(bench, users, due.at - seconds * 1_000 - 2 * BEFORE_MS);

  const client = createApiClient(url, SOCKETS);
  const crud = {
    client,
    requestsPerSecond,
    userIds: await bench.ledger.someUsers(READ_IDS),
    dateOfBirth: distantBirthday(0),
  };
  await bench.meter.stage('alone');
  bench.progress.say(`${requestsPerSecond} requests a second, alone`);
  const windows: Windows = { alone: await measureAlone(crud, seconds) };
  if (herd > 0) Object.assign(windows, await withHerd(bench, crud, due, herd, look));

  if (imported > 0)
    windows['while users are imported'] = await withImport(bench, crud, url, imported);

  const usage = await bench.meter.stop();
  client.close();
  process.stdout.write(`\n${apiTable(windows)}\n\n${usageTable(`${users} users`, usage)}\n\n`);
  bench.write({ users, herd, imported, requestsPerSecond, windows, usage });
}

async function measureAlone(crud: CrudLoadOptions, seconds: number): Promise<CrudSample[]> {
  const load = startCrudLoad(crud);
  const from = Date.now() + BEFORE_MS;
  await sleepUntil(from + seconds * 1_000);
  return (await load.stop()).filter(({ scheduledAt }) => scheduledAt >= from);
}

/** The first users are the herd. Returns when it is due. */
async function loadAll(
  { meter, progress, databaseUrl }: DaybellBench,
  users: number,
  herd: number,
  timing: TimingOptions,
): Promise<DueMinute> {
  const birthday = birthdayOf(users, timing);
  await meter.stage('load');
  await loadByStore(databaseUrl, {
    users,
    dateOfBirth: (index) => (index < herd ? birthday.dateOfBirth : distantBirthday(index)),
    onLoaded: (count) => progress.tick(`${count} of ${users} loaded`),
  });
  const due = dueAfterLoading(users, timing, birthday);
  progress.say(`the herd of ${herd} is due at ${new Date(due.at).toISOString()}`);
  return due;
}

/** Returns the API's URL. */
async function startDaybell(
  { daybell, meter }: DaybellBench,
  { localTime }: DueMinute,
  count: number,
): Promise<string> {
  const [port = 0] = await freePorts(1);
  await meter.stage('plan');
  const settings = { PORT: String(port), DELIVERY_LOCAL_TIME: localTime };
  await daybell.migrate(settings);
  await daybell.start(['api', 'scheduler', 'worker', ...dispatchers(count)], settings);
  return `http://127.0.0.1:${port}`;
}

async function untilNotified(
  { ledger, untilNone }: DaybellBench,
  users: number,
  deadline: number,
): Promise<void> {
  const left = async (): Promise<number> => users - (await ledger.notified());
  if (await untilNone('not asleep yet', left, deadline)) return;
  throw new Error('Planning took longer than expected: set --plan-rate lower.');
}

async function withHerd(
  { meter, progress, receiver, webhookPath, ledger, untilNone }: DaybellBench,
  crud: CrudLoadOptions,
  { at }: DueMinute,
  herd: number,
  lookSeconds: number,
): Promise<Windows> {
  const deadline = at + LIMIT_MS;
  const undelivered = async () => herd - (await receiver.count(webhookPath)).distinct;
  const awake = async () => herd - (await ledger.herd(at)).asleep;

  await meter.stage('wait');
  await sleepUntil(at - BEFORE_MS);
  progress.say(`${crud.requestsPerSecond} requests a second, with the herd`);
  const during = startCrudLoad(crud);
  await sleepUntil(at);
  await meter.stage('fire');
  await untilNone('not delivered yet', undelivered, deadline);
  const sentAt = Date.now();
  await meter.stage('look');
  await untilNone('whose workflow has not checked yet', awake, sentAt + lookSeconds * 1_000);
  const samples = await during.stop();
  const between = (from: number, to: number): CrudSample[] =>
    samples.filter(({ scheduledAt }) => scheduledAt >= from && scheduledAt < to);
  return {
    'while it is sent': between(at, sentAt),
    'while its workflows look': between(sentAt, Infinity),
  };
}

/** Ends when the last of them is planned. Workflows follow at the rate that Temporal accepts. */
async function withImport(
  { meter, progress, ledger, untilNone }: DaybellBench,
  crud: CrudLoadOptions,
  url: string,
  users: number,
): Promise<CrudSample[]> {
  const folder = await mkdtemp(join(tmpdir(), 'daybell-bench-'));
  try {
    const file = join(folder, 'people.csv');
    await writePeople(file, users, 0);
    await meter.stage('import');
    progress.say(`${crud.requestsPerSecond} requests a second, while ${users} users are imported`);
    const during = startCrudLoad(crud);
    const { users: stored } = await importFile(url, file);
    await untilNone('not planned yet', ledger.waitingInOutbox);
    const samples = await during.stop();
    if (stored.created !== users) throw new Error(`imported: ${JSON.stringify(stored)}`);
    return samples;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
