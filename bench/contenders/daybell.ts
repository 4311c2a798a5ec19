/** Daybell itself: its real processes, each by its real entry point. */
import { freePorts } from '../../src/dev/free-ports.ts';
import { dispatchers, startDaybellProcesses } from '../support/daybell-processes.ts';
import type { DueMinute } from '../support/instants.ts';
import { viewLedger, type HerdCounts, type LedgerView } from '../support/ledger-view.ts';
import { loadByApi, loadByStore } from '../support/loading.ts';
import { sampleSleepers, type SleeperSample } from '../support/sleepers.ts';
import { until } from '../support/until.ts';
import type { Contender, HerdRun, RunningContender, Sleeper } from './contender.ts';
import { birthdayOf, timesAfterLoading, type DaybellTimes } from './daybell-times.ts';

export const daybell: Contender = {
  name: 'daybell',
  about: 'users by POST /v1/users, then relay, worker and dispatcher as real processes',
  start,
};

const LOOK_EVERY_MS = 500;
const NEXT_YEAR_LIMIT_MS = 30_000;
/** Workflows whose histories are looked at. */
const SAMPLE = 20;

async function start(run: HerdRun): Promise<RunningContender> {
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
    const times = timesAfterLoading(users, options, birthday);
    const { at } = times.due;
    run.progress.say(`daybell: all are due at ${new Date(at).toISOString()}`);
    await processes.start(['relay', 'worker', ...dispatchers(options.dispatchers)], {
      ...settingsOf(times.due),
      ...armingOf(times),
    });
    const remarks: string[] = [];
    const inTime = (stage: keyof HerdCounts) => untilAll(run, ledger, at, stage);
    if (!(await inTime('planned'))) remarks.push('planning had not ended at the instant');
    const sample = await sampleSleepers(
      installation.temporal.address,
      await ledger.someUsers(SAMPLE),
    );
    const storage = (await installation.temporalBytes()) - storageBefore;

    await meter.stage('arm');
    if (!(await inTime('armed'))) remarks.push('arming had not ended at the instant');
    await meter.stage('wait');
    return {
      fireAt: at,
      remarks,
      sleeper: sleeperOf(sample, storage / users),
      unfinished: async () => users - (await ledger.herd(at)).reported,
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

/** Whether all of the herd are so far before the instant. */
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
  { users }: HerdRun,
  ledger: LedgerView,
  at: number,
  sample: SleeperSample,
): Promise<string[]> {
  const { planned, armed, armedLate } = await ledger.herd(at);
  // Reported is not yet heard: their workflows still have to go on to next year.
  let events: number | null = null;
  const isOver = async (): Promise<boolean> => {
    events = await sample.eventsAtTheEnd();
    return events !== null;
  };
  await until(isOver, { everyMs: LOOK_EVERY_MS, deadline: Date.now() + NEXT_YEAR_LIMIT_MS });
  await sample.close();
  return [
    `${armedLate} of ${users} armed after the instant`,
    ...(armed < users ? [`${users - planned} never planned, ${planned - armed} never armed`] : []),
    `events of history for a user's year: ${events ?? 'not all over yet'}`,
  ];
}

function settingsOf({ localTime }: DueMinute): Record<string, string> {
  return { DELIVERY_LOCAL_TIME: localTime };
}

function armingOf({ armLead, armWindow }: DaybellTimes): Record<string, string> {
  return { ARM_LEAD: `${armLead}s`, ARM_WINDOW: `${armWindow}s` };
}

function sleeperOf({ historyBytes, historyEvents }: SleeperSample, storage: number): Sleeper {
  return { historyBytes, historyEvents, storageBytes: Math.round(storage) };
}
