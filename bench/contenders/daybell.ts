/** Daybell itself: its real processes, each by its real entry point. */
import { freePorts } from '../../dev/ports.ts';
import {
  dispatchers,
  startDaybellProcesses,
  type ServiceName,
} from '../support/daybell-processes.ts';
import type { DueMinute } from '../support/instants.ts';
import { viewLedger, type HerdCounts, type LedgerView } from '../support/ledger-view.ts';
import { loadByApi, loadByStore } from '../support/loading.ts';
import { sampleSleepers, type SleeperSample } from '../support/sleepers.ts';
import { until } from '../support/until.ts';
import type { Contender, HerdRun, RunningContender, Sleeper } from './contender.ts';
import { birthdayOf, dueAfterLoading } from './daybell-times.ts';

export const daybell: Contender = {
  name: 'daybell',
  about: 'users by POST /v1/users, then scheduler, worker and dispatcher as real processes',
  start: (run) => start(run, dispatchers(run.options.dispatchers), {}),
};

/** The textbook shape on the same code: a timer and a retried webhook activity, no dispatcher. */
export const workflowsAlone: Contender = {
  name: 'workflows-alone',
  about: 'Daybell without dispatchers: WAKE_AFTER=0s and WAKE_RATE=0',
  start: (run) => start(run, [], { WAKE_AFTER: '0s', WAKE_RATE: '0' }),
};

const LOOK_EVERY_MS = 500;
const KILLED_BEFORE_MS = 1_000;
/** Workflows whose histories are read. */
const SAMPLE = 20;

async function start(
  run: HerdRun,
  senders: readonly ServiceName[],
  settings: Readonly<Record<string, string>>,
): Promise<RunningContender> {
  const { users, installation, meter, options } = run;
  const storageBefore = await installation.temporalBytes();
  const ledger = await viewLedger(run.databaseUrl);
  const processes = startDaybellProcesses(installation, run);
  const stop = async (): Promise<void> => {
    await processes.stop();
    await ledger.close();
  };
  try {
    await processes.migrate();
    await meter.stage('load');
    const birthday = birthdayOf(users, options);
    await load(run, birthday, async (port) =>
      processes.start(['api'], { PORT: String(port), ...settingsOf(birthday) }),
    );

    await meter.stage('plan');
    const due = dueAfterLoading(users, options, birthday);
    const { at } = due;
    run.progress.say(`daybell: all are due at ${new Date(at).toISOString()}`);
    await processes.migrate(settingsOf(due));
    await processes.start(['scheduler', 'worker', ...senders], {
      ...settingsOf(due),
      ...settings,
    });
    const remarks: string[] = [];
    const inTime = (stage: keyof HerdCounts) => untilAll(run, ledger, at, stage);
    if (!(await inTime('planned'))) remarks.push('planning had not ended at the instant');
    await meter.stage('notify');
    if (!(await inTime('notified'))) remarks.push('not all workflows slept at the instant');
    const sample = await sampleSleepers(
      installation.temporal.address,
      await ledger.someUsers(SAMPLE),
    );
    const storage = (await installation.temporalBytes()) - storageBefore;
    await meter.stage('wait');
    for (const node of options.killTemporalNode) {
      installation.killAt(node, at - KILLED_BEFORE_MS, options.temporalDown * 1_000);
      remarks.push(`${node} was killed 1 s before the instant, for ${options.temporalDown} s`);
    }
    return {
      dueAt: at,
      remarks,
      sleeper: sleeperOf(sample, storage / users),
      unfinished: async () => users - (await ledger.herd(at))[options.until],
      afterwards: () => afterwards(run, ledger, at, sample),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function load(
  { users, databaseUrl, options, progress }: HerdRun,
  { dateOfBirth }: DueMinute,
  startApi: (port: number) => Promise<void>,
): Promise<void> {
  const loading = {
    users,
    dateOfBirth: () => dateOfBirth,
    onLoaded: (count: number) => progress.tick(`daybell: ${count} of ${users} loaded`),
  };
  if (options.load === 'store') return loadByStore(databaseUrl, loading);
  const [port = 0] = await freePorts(1);
  await startApi(port);
  return loadByApi(`http://127.0.0.1:${port}`, loading);
}

/** Whether the whole herd reaches this stage before the instant. */
function untilAll(
  { users, progress }: HerdRun,
  ledger: LedgerView,
  at: number,
  stage: keyof HerdCounts,
): Promise<boolean> {
  const all = async (): Promise<boolean> => {
    const count = (await ledger.herd(at))[stage];
    progress.tick(`daybell: ${count} of ${users} ${stage}`);
    return count >= users;
  };
  return until(all, { everyMs: LOOK_EVERY_MS, deadline: at });
}

async function afterwards(
  { users, options }: HerdRun,
  ledger: LedgerView,
  at: number,
  sample: SleeperSample,
): Promise<string[]> {
  const { planned, sentByWorkflow } = await ledger.herd(at);
  const events = await sample.events();
  await sample.close();
  return [
    `${sentByWorkflow} of ${users} sent by workflows`,
    ...(planned < users ? [`${users - planned} were not planned`] : []),
    ...(options.until === 'asleep' ? [`events of history after the first year: ${events}`] : []),
  ];
}

function settingsOf({ localTime }: DueMinute): Record<string, string> {
  return { DELIVERY_LOCAL_TIME: localTime };
}

function sleeperOf({ historyBytes, historyEvents }: SleeperSample, storage: number): Sleeper {
  return { historyBytes, historyEvents, storageBytes: Math.round(storage) };
}
