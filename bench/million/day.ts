/**
 * A day at its natural peak: the users due at one instant in a popular zone, beside users'
 * requests.
 */
import { freePorts } from '../../dev/ports.ts';
import { apiTable } from '../report/api-table.ts';
import { duration, table } from '../report/table.ts';
import { createApiClient } from '../support/api-client.ts';
import { type CrudSample, startCrudLoad } from '../support/crud-load.ts';
import { dispatchers } from '../support/daybell-processes.ts';
import { minuteAfter } from '../support/instants.ts';
import { distantBirthday, loadByStore } from '../support/loading.ts';
import { type Distribution, distributionOf } from '../support/statistics.ts';
import { sleepUntil } from '../support/until.ts';
import type { MillionBench } from './million-bench.ts';

/** A day has 1/365 of all users, and a popular zone a quarter of those. */
const SHARE = 1 / 365 / 4;
/** Of those, the shares in other zones, with delivery times that give the same instant. */
const ELSEWHERE = [
  { timezone: 'Asia/Tokyo', minutesAhead: 9 * 60 },
  { timezone: 'Asia/Kolkata', minutesAhead: 5 * 60 + 30 },
  { timezone: 'America/Bogota', minutesAhead: -5 * 60 },
] as const;
const ELSEWHERE_OF = 10;
const REQUESTS_PER_SECOND = 20;
const SOCKETS = 64;
const READ_IDS = 1_000;
/** Requests are already running when the instant comes. */
const BEFORE_MS = 5_000;
/** The longest time after the instant. */
const LIMIT_MS = 600_000;
const MINUTE_MS = 60_000;
/** Time to be stored, planned and notified, and a pause for the dispatchers. */
const REST_MS = 30_000;
const NOTIFIED_PER_SECOND = 50;

export interface Day {
  readonly due: number;
  readonly missing: number;
  /** Requests beyond the first for the same `webhook-id`. */
  readonly duplicates: number;
  readonly early: number;
  readonly sentByWorkflow: number;
  /** Of first arrivals, in ms after the instant. */
  readonly latenessMs: Distribution | null;
  readonly api: Readonly<Record<string, Distribution | null>>;
  /** Until the workflow of each has checked, in ms after the instant. */
  readonly lookedAfterMs: number;
  /** Its instant, epoch ms. */
  readonly dueAt: number;
}

/** Starts all processes, which keep running afterwards. */
export async function liveADay(bench: MillionBench): Promise<Day> {
  const { daybell, ledger, meter, options, print, progress, receiver, untilNone, webhookPath } =
    bench;
  await leaveOthersAlone(bench);
  await meter.stage('start of all processes');
  const [port = 0] = await freePorts(1);
  const names = ['api', 'worker', 'scheduler'] as const;
  // Deleted users stay readable in Temporal until the bench has read them.
  const settings = { PORT: String(port), ERASE_AFTER: '30d' };
  await daybell.start([...names, ...dispatchers(options.dispatchers)], settings);

  const herd = Math.ceil(options.users * SHARE);
  const due = herd + Math.ceil(herd / ELSEWHERE_OF);
  const dueAt = instantAfter(REST_MS + (due / NOTIFIED_PER_SECOND) * 1_000);
  await storeHerd(bench, herd, due, dueAt);
  const inTime = async (what: string, left: () => Promise<number>): Promise<void> => {
    if (!(await untilNone(what, left, dueAt - BEFORE_MS))) throw new Error(`${what} in time`);
  };
  await inTime('not planned', async () => due - (await ledger.herd(dueAt)).planned);
  await inTime('not notified', async () => due - (await ledger.herd(dueAt)).notified);

  const client = createApiClient(`http://127.0.0.1:${port}`, SOCKETS);
  const crud = {
    client,
    requestsPerSecond: REQUESTS_PER_SECOND,
    userIds: await ledger.someUsers(READ_IDS),
    dateOfBirth: distantBirthday(0),
  };
  await meter.stage('wait');
  await sleepUntil(dueAt - 2 * BEFORE_MS);
  const before = await receiver.count(webhookPath);
  const countedAt = Date.now();
  const requests = startCrudLoad(crud);
  await sleepUntil(dueAt);
  await meter.stage('send');
  const arrived = async (): Promise<number> =>
    (await receiver.count(webhookPath)).distinct - before.distinct;
  await untilNone('not delivered yet', async () => due - (await arrived()), dueAt + LIMIT_MS);
  const sentAt = Date.now();
  const { instants } = await receiver.take(webhookPath);
  await meter.stage('look');
  await untilNone(
    'whose workflow has not checked yet',
    async () => due - (await ledger.herd(dueAt)).asleep,
    dueAt + LIMIT_MS,
  );
  const lookedAfterMs = Date.now() - dueAt;
  const samples = await requests.stop();
  client.close();

  const { requests: all, distinct } = await receiver.count(webhookPath);
  const arrivals = instants.filter((at) => at >= countedAt).map((at) => at - dueAt);
  const { sentByWorkflow } = await ledger.herd(dueAt);
  const between = (from: number, to: number): CrudSample[] =>
    samples.filter(({ scheduledAt }) => scheduledAt >= from && scheduledAt < to);
  const windows = {
    'before the instant': between(countedAt, dueAt),
    'while it is sent': between(dueAt, sentAt),
    'while its workflows look': between(sentAt, Infinity),
  };
  const day: Day = {
    due,
    missing: due - arrivals.length,
    duplicates: all - distinct,
    early: arrivals.filter((ms) => ms < 0).length,
    sentByWorkflow,
    latenessMs: distributionOf(arrivals),
    api: Object.fromEntries(
      Object.entries(windows).map(([when, those]) => [
        when,
        distributionOf(those.map(({ latencyMs }) => latencyMs)),
      ]),
    ),
    lookedAfterMs,
    dueAt,
  };
  const { latenessMs } = day;
  print(
    `${due} of ${options.users} due at one instant, ${due - herd} of them in other zones`,
    table(
      ['p50', 'p99', 'last', 'missing', 'twice', 'early', 'sent by workflows', 'all had looked'],
      [
        [
          ...[latenessMs?.p50, latenessMs?.p99, latenessMs?.last].map(duration),
          ...[day.missing, day.duplicates, day.early, sentByWorkflow].map(String),
          duration(lookedAfterMs),
        ],
      ],
    ),
  );
  print(`${REQUESTS_PER_SECOND} requests a second beside it`, apiTable(windows));
  progress.say('the day is over');
  return day;
}

/**
 * Users without a workflow count as notified, and no comparison is due: the day is that of a
 * settled installation, not of one that a million users have just been loaded into.
 */
async function leaveOthersAlone({ orm, meter, progress }: MillionBench): Promise<void> {
  await meter.stage('leave the rest alone');
  const em = orm.em.fork();
  const { affectedRows } = await em.execute<{ affectedRows: number }>(
    `update events.occasions set notified_wake_at = wake_at
     where notified_wake_at is null and ended_at is null`,
    [],
    'run',
  );
  await em.execute('update events.reconciler set compared_at = events.clock()');
  await em.execute('vacuum analyze events.occasions');
  progress.say(`${affectedRows} without a workflow count as notified from now on`);
}

/** A full minute at which it is not 9:00 anywhere else. */
function instantAfter(leadMs: number): number {
  const { at } = minuteAfter(leadMs);
  return at % (30 * MINUTE_MS) === 0 ? at + MINUTE_MS : at;
}

/** With their own delivery time: the others stay planned by the installation's. */
async function storeHerd(
  { databaseUrl, meter, progress }: MillionBench,
  herd: number,
  due: number,
  dueAt: number,
): Promise<void> {
  await meter.stage('store the day');
  progress.say(`${due} are stored, who are due at ${new Date(dueAt).toISOString()}`);
  const placeOf = (index: number) =>
    index < herd
      ? { timezone: 'UTC', minutesAhead: 0 }
      : (ELSEWHERE[index % ELSEWHERE.length] ?? ELSEWHERE[0]);
  const wallClock = (index: number): string =>
    new Date(dueAt + placeOf(index).minutesAhead * MINUTE_MS).toISOString();
  await loadByStore(databaseUrl, {
    users: due,
    // 1992: a leap year, so that every day of the year exists.
    dateOfBirth: (index) => `1992${wallClock(index).slice(4, 10)}`,
    deliveryTime: (index) => wallClock(index).slice(11, 16),
    timezone: (index) => placeOf(index).timezone,
    onLoaded: () => {},
  });
}
