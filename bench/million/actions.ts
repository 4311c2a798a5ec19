/**
 * Temporal Cloud's Actions for an occasion, counted in histories by Temporal's own definition: its
 * documentation says which operations are charged ("Temporal Cloud Actions").
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Client, Connection, ScheduleOverlapPolicy } from '@temporalio/client';
import protobuf from '@temporalio/proto';

import { workflowId } from '../../src/ledger/occurrence-key.ts';
import { createUsers } from '../../src/users/users.ts';
import { table } from '../report/table.ts';
import { minuteAfter } from '../support/instants.ts';
import { loadByStore } from '../support/loading.ts';
import { until } from '../support/until.ts';
import { cloudCost, type CloudCost } from './cloud-cost.ts';
import type { MillionBench } from './million-bench.ts';

const { EventType } = protobuf.temporal.api.enums.v1;
const { HistoryEvent } = protobuf.temporal.api.history.v1;

/** Workflows whose histories are counted. */
const SAMPLE = 5;
const LOOK_EVERY_MS = 500;
const LIMIT_MS = 300_000;
const USERS = [1_000, 10_000, 100_000, 1_000_000];
/**
 * If a workflow changes sooner than this after a check, it waits with a timer, which is charged
 * too.
 */
const GAP_MS = 12_000;
/** Events of a history at which the workflow continues as new (src/workflows/occasion.ts). */
const LONGEST_HISTORY = 50;
/** A schedule that starts a workflow: two Actions, besides the workflow's own. */
const SCHEDULE_START = 2;
const HOURS_A_MONTH = 730;

export interface Actions {
  /** The charges for one that was greeted, then had its date changed, and then was deleted. */
  readonly charged: Readonly<Record<'greeted' | 'moved' | 'ended', Charged>>;
  /** From a workflow's start until it sleeps again after its first greeting. */
  readonly sentByDispatcher: number;
  readonly sentByWorkflow: number;
  /** What one change of the date of birth adds, and then the deletion of the user. */
  readonly changeOfDate: number;
  readonly deletion: number;
  /** Each later year: a look, and a timer or continuing as new. */
  readonly laterYear: number;
  readonly historyBytes: number;
  /** For the installation in a month, by workflow type. */
  readonly installationMonth: Readonly<Record<string, number>>;
  readonly costs: readonly { readonly firstYear: CloudCost; readonly laterYear: CloudCost }[];
}

/**
 * Needs the processes that the day has started; stops them all.
 *
 * @param dueAt of users whom dispatchers have greeted, and whose workflows sleep again
 */
export async function countActions(bench: MillionBench, dueAt: number): Promise<Actions> {
  const { daybell, installation, ledger, meter, orm, print, progress, tz } = bench;
  const connection = await Connection.connect({ address: installation.temporal.address });
  const client = new Client({ connection });
  try {
    await meter.stage('actions');
    progress.say('actions of workflows whose greeting a dispatcher has sent');
    const greeted = await usersDueAt(bench, dueAt, SAMPLE);
    const first = await Promise.all(greeted.map((id) => lookAt(client, birthdayOf(id))));
    const [changed = ''] = greeted;

    progress.say('a change of date, and a deletion');
    const users = createUsers(orm, { clock: Date.now, tz });
    await sleep(GAP_MS);
    const before = await lookAt(client, birthdayOf(changed));
    // A date that is due sooner than the wake: otherwise its workflow need not know.
    await users.update(changed, { dateOfBirth: '1991-01-02' });
    const moved = await untilAsleep(client, birthdayOf(changed), looksOf(before));
    await sleep(GAP_MS);
    await users.delete(changed);
    const ended = await untilEnded(client, birthdayOf(changed));

    progress.say('actions of the installation itself');
    const installationMonth = await countMaintenance(bench, client);

    progress.say('without dispatchers');
    await daybell.stop();
    await daybell.start(['worker', 'scheduler'], {});
    const due = minuteAfter(30_000);
    await loadByStore(bench.databaseUrl, {
      users: SAMPLE,
      dateOfBirth: () => due.dateOfBirth,
      deliveryTime: () => due.localTime,
      onLoaded: () => {},
    });
    const looked = async (): Promise<boolean> => (await ledger.herd(due.at)).asleep === SAMPLE;
    if (!(await until(looked, { everyMs: LOOK_EVERY_MS, deadline: due.at + LIMIT_MS }))) {
      throw new Error('workflows have not sent what no dispatcher sent');
    }
    const sent = await usersDueAt(bench, due.at, SAMPLE);
    const alone = await Promise.all(sent.map((id) => untilAsleep(client, birthdayOf(id), 0)));

    const sentByDispatcher = mean(first.map(({ actions }) => actions));
    const eventsAYear = mean(first.map(({ events }) => events));
    // The start is of the first year only; where a run continues as new, it starts no timer.
    const laterYear = round(sentByDispatcher - 1);
    const bytesAYear = mean(first.map(({ bytes }) => bytes));
    const startBytes = mean(first.map(({ startBytes: bytes }) => bytes));
    // Asleep through as many years as a run has, after none, one, two … of them.
    const years = Math.ceil(LONGEST_HISTORY / eventsAYear);
    const historyBytes = Math.round(startBytes + ((bytesAYear - startBytes) * (years - 1)) / 2);
    const month = sum(Object.values(installationMonth));
    const actions: Actions = {
      charged: { greeted: before.charged, moved: moved.charged, ended: ended.charged },
      sentByDispatcher,
      sentByWorkflow: mean(alone.map(({ actions }) => actions)),
      changeOfDate: moved.actions - before.actions,
      deletion: ended.actions - moved.actions,
      laterYear,
      historyBytes,
      installationMonth,
      costs: USERS.map((users) => {
        const use = {
          users,
          firstYear: sentByDispatcher,
          laterYear,
          installationMonth: month,
          bytesPerUser: historyBytes,
        };
        return { firstYear: cloudCost(use, 'firstYear'), laterYear: cloudCost(use, 'laterYear') };
      }),
    };
    printActions(print, actions, { eventsAYear, bytesAYear });
    return actions;
  } finally {
    await daybell.stop();
    await connection.close();
  }
}

const birthdayOf = (userId: string): string => workflowId({ type: 'birthday', id: userId });

async function usersDueAt({ orm }: MillionBench, dueAt: number, limit: number): Promise<string[]> {
  const rows = await orm.em.fork().execute<{ id: string }[]>(
    `select user_id as id from events.occurrences
     where due_at = to_timestamp(:dueAt::float8 / 1000) order by key limit :limit`,
    { dueAt, limit },
  );
  return rows.map(({ id }) => id);
}

interface Look {
  /** How often each charged operation occurs in its history. */
  readonly charged: Charged;
  readonly actions: number;
  readonly events: number;
  readonly bytes: number;
  /** Of its first event. */
  readonly startBytes: number;
  readonly isRunning: boolean;
  /** The last event was the start of a timer. */
  readonly isAsleep: boolean;
}

type Charged = Readonly<Record<string, number>>;

async function lookAt(client: Client, id: string): Promise<Look> {
  const handle = client.workflow.getHandle(id);
  const [{ events }, described] = await Promise.all([handle.fetchHistory(), handle.describe()]);
  const types = (events ?? []).map(({ eventType }) => eventType);
  const charged = chargedIn(events ?? []);
  return {
    charged,
    actions: sum(Object.values(charged)),
    events: types.length,
    bytes: Number(described.raw.workflowExecutionInfo?.historySizeBytes ?? 0),
    startBytes: HistoryEvent.encode(events?.[0] ?? {}).finish().length,
    isRunning: described.status.name === 'RUNNING',
    isAsleep: types.at(-1) === EventType.EVENT_TYPE_TIMER_STARTED,
  };
}

function chargedIn(events: readonly protobuf.temporal.api.history.v1.IHistoryEvent[]): Charged {
  const count = (type: number): number =>
    events.filter(({ eventType }) => eventType === type).length;
  // A signal-with-start that starts is one Action, but leaves two events.
  const isSignalWithStart =
    events[1]?.eventType === EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED;
  const attempts = events.map(({ activityTaskStartedEventAttributes: started }) =>
    Math.max(0, (started?.attempt ?? 1) - 1),
  );
  return {
    started: count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED),
    signals: count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) - (isSignalWithStart ? 1 : 0),
    activities: count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED),
    retries: sum(attempts),
    timers: count(EventType.EVENT_TYPE_TIMER_STARTED),
    markers: count(EventType.EVENT_TYPE_MARKER_RECORDED),
    searchAttributes: count(EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES),
  };
}

const looksOf = ({ charged }: Look): number => charged['activities'] ?? 0;

/** Waits until it has checked more often than this, and sleeps. */
const untilAsleep = (client: Client, id: string, looks: number): Promise<Look> =>
  untilLook(client, id, (look) => look.isAsleep && looksOf(look) > looks);

const untilEnded = (client: Client, id: string): Promise<Look> =>
  untilLook(client, id, ({ isRunning }) => !isRunning);

async function untilLook(
  client: Client,
  id: string,
  holds: (look: Look) => boolean,
): Promise<Look> {
  let look = await lookAt(client, id);
  const hasCome = async (): Promise<boolean> => {
    look = await lookAt(client, id);
    return holds(look);
  };
  const deadline = Date.now() + LIMIT_MS;
  if (await until(hasCome, { everyMs: LOOK_EVERY_MS, deadline })) return look;
  throw new Error(`${id} has not come so far: ${JSON.stringify(look)}`);
}

/** Runs each schedule once, and multiplies by how often it starts one in a month. */
async function countMaintenance(
  { databaseUrl }: MillionBench,
  client: Client,
): Promise<Record<string, number>> {
  const taskQueue = new URL(databaseUrl).pathname.slice(1);
  const counted: Record<string, number> = {};
  for (const type of ['housekeeping', 'erasure', 'reconcile']) {
    const schedule = client.schedule.getHandle(`${taskQueue}/${type}`);
    const { spec, info } = await schedule.describe();
    const before = info.recentActions.length;
    await schedule.trigger(ScheduleOverlapPolicy.ALLOW_ALL);
    let id = '';
    const hasRun = async (): Promise<boolean> => {
      const { recentActions } = (await schedule.describe()).info;
      id = recentActions.at(-1)?.action.workflow.workflowId ?? '';
      return recentActions.length > before && !(await lookAt(client, id)).isRunning;
    };
    const deadline = Date.now() + LIMIT_MS;
    if (!(await until(hasRun, { everyMs: LOOK_EVERY_MS, deadline }))) {
      throw new Error(`the schedule ${type} has not run`);
    }
    const { actions } = await lookAt(client, id);
    const everyMs = Number(spec.intervals?.[0]?.every ?? NaN);
    const runs = (HOURS_A_MONTH * 3_600_000) / everyMs;
    counted[type] = Math.round(runs * (actions + SCHEDULE_START));
  }
  return counted;
}

function printActions(
  print: MillionBench['print'],
  actions: Actions,
  { eventsAYear, bytesAYear }: { readonly eventsAYear: number; readonly bytesAYear: number },
): void {
  const rows = [
    ['start until asleep again, a dispatcher sent', actions.sentByDispatcher],
    ['start until asleep again, the workflow sent', actions.sentByWorkflow],
    ['each later year: one start less', actions.laterYear],
    ['a change of date', actions.changeOfDate],
    ['a deletion', actions.deletion],
  ].map((row) => row.map(String));
  print('Actions of an occasion', table(['', 'actions'], rows));
  const months = Object.entries(actions.installationMonth).map((row) => row.map(String));
  print('Actions of the installation in a month (computed from one run)', table(['', ''], months));
  print(
    `In a month on Temporal Cloud (computed: users × actions of a year ÷ 12 + the installation's, and users × ${actions.historyBytes} bytes of history; ${eventsAYear} events and ${bytesAYear} bytes a year, continued as new at ${LONGEST_HISTORY} events)`,
    table(
      ['users', 'actions', 'active GBh', 'first year: Developer', 'later: Developer', 'Business'],
      actions.costs.map(({ firstYear, laterYear }) => [
        String(firstYear.users),
        String(laterYear.actions),
        laterYear.activeGbHours.toFixed(1),
        dollars(firstYear.developerDollars),
        dollars(laterYear.developerDollars),
        dollars(laterYear.businessDollars),
      ]),
    ),
  );
}

const dollars = (amount: number): string => `$${amount.toFixed(2)}`;
const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
const mean = (values: readonly number[]): number => round(sum(values) / values.length);
const round = (value: number): number => Math.round(value * 100) / 100;
