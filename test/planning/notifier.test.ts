/** The notifier between the real database and a real Temporal server; deliver is a fake. */
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';

import { createRedelivered } from '../../src/ledger/redelivered.ts';
import { instant, ms } from '../../src/ledger/sql.ts';
import { createNotifyStore } from '../../src/planning/notifier/notify-store.ts';
import type { Notified } from '../../src/planning/metrics.ts';
import { createNotifier } from '../../src/planning/notifier/notifier.ts';
import type { Loop } from '../../src/platform/loop.ts';
import {
  createOccasionWorkflows,
  type OccasionWorkflows,
} from '../../src/workflows/occasion-client.ts';
import { connectTemporal } from '../../src/platform/temporal/connection.ts';
import { startDevServer } from '../support/dev-server.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { freePort } from '../support/free-port.ts';
import { asleepForAYear, ENDED } from '../support/deliver-answers.ts';
import {
  startOccasionStage,
  type OccasionStage,
  type StagedOccasion,
} from '../support/occasion-stage.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { findDevServerProgram, useDevServer, type TestTemporal } from '../support/temporal.ts';

const DAY = 86_400_000;
const WAIT = { timeout: 60_000, interval: 50 };

let temporal: TestTemporal;
let on: OccasionStage;
let database: TestDatabase;
let rows: EventRows;
beforeAll(async () => {
  temporal = await useDevServer();
  [on, database] = await Promise.all([startOccasionStage(temporal), createTestDatabase()]);
  rows = createEventRows(database.orm);
});
afterAll(async () => {
  await on.stop();
  await database.drop();
  await temporal.close();
});

const notified: Notified[] = [];
const logged: Record<string, unknown>[] = [];
const logger = pino(
  { level: 'debug' },
  { write: (line: string) => void logged.push(JSON.parse(line)) },
);
let running: Loop[] = [];
beforeEach(async () => {
  notified.length = 0;
  logged.length = 0;
  await rows.sql('delete from events.attempts');
  for (const table of ['occurrences', 'occasions', 'dispatchers']) {
    await rows.sql(`delete from events.${table}`);
  }
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((notifier) => notifier.stop()));
});

function notify(
  workflows: OccasionWorkflows = on.workflows,
  isLeftToDispatchers = async () => false,
  areRequestsSlow = async () => false,
  paced: (perSecond: number) => void = () => {},
): Loop {
  const notifier = createNotifier({
    store: createNotifyStore(database.orm),
    redelivered: createRedelivered(database.orm),
    workflows,
    isLeftToDispatchers,
    areRequestsSlow,
    logger,
    observer: { notified: (what) => notified.push(what), paced },
  });
  notifier.start();
  running.push(notifier);
  return notifier;
}

test('a new occasion gets a workflow that sleeps until its wake, and that is recorded', async () => {
  const occasion = on.stage(asleepForAYear);
  const wakeAt = Date.now() + 100 * DAY;
  await plan(occasion, { wakeAt });

  notify();

  await expect
    .poll(() => find(occasion), WAIT)
    .toMatchObject({ notifiedWakeAt: wakeAt, notifyAfter: null });
  const { raw } = await occasion.workflow.describe();
  const firstTaskAt = Number(raw.workflowExecutionInfo?.executionTime?.seconds) * 1_000;
  expect(Math.abs(firstTaskAt - wakeAt)).toBeLessThan(5_000);
  expect(await occasion.workflow.describe()).toMatchObject({ historyLength: 1 });
  expect(notified).toEqual(['started']);
});

test('the earliest wake is notified first', async () => {
  const occasions = Array.from({ length: 30 }, () => on.stage(asleepForAYear));
  const wakesAt = Date.now() + 100 * DAY;
  for (const [at, occasion] of occasions.entries()) {
    await plan(occasion, { wakeAt: wakesAt + ((at * 7) % 30) * 1_000 });
  }
  const order: string[] = [];
  const workflows: OccasionWorkflows = {
    ...on.workflows,
    async start(occasion) {
      order.push(occasion.id);
      return true;
    },
  };

  notify(workflows);

  await expect.poll(() => order, WAIT).toHaveLength(30);
  const soonest = occasions.toSorted((one, other) => placeOf(one) - placeOf(other));
  expect(order).toEqual(soonest.map(({ id }) => id));

  function placeOf(occasion: StagedOccasion): number {
    return (occasions.indexOf(occasion) * 7) % 30;
  }
});

test('a workflow that should wake earlier than it knows is woken; one that should wake later is left alone', async () => {
  const [earlier, later] = [on.stage(asleepForAYear), on.stage(asleepForAYear)];
  const wakeAt = Date.now() + 100 * DAY;
  await Promise.all([earlier, later].map((each) => on.workflows.start(each, 100 * DAY)));
  await plan(earlier, { wakeAt: wakeAt - DAY, notifiedWakeAt: wakeAt });
  await plan(later, { wakeAt: wakeAt + DAY, notifiedWakeAt: wakeAt });

  notify();

  await expect.poll(() => earlier.calls, WAIT).toHaveLength(1);
  await expect.poll(() => find(earlier), WAIT).toMatchObject({ notifiedWakeAt: wakeAt - DAY });
  expect(await find(later)).toMatchObject({ notifiedWakeAt: wakeAt });
  expect(later.calls).toEqual([]);
  expect(notified).toEqual(['woken']);
});

test('a workflow that nobody knew to exist is woken, and no other is started', async () => {
  const occasion = on.stage(asleepForAYear);
  await on.workflows.start(occasion, 100 * DAY);
  const { runId } = await occasion.workflow.describe();
  await plan(occasion, { wakeAt: Date.now() + DAY });

  notify();

  await expect.poll(() => occasion.calls, WAIT).toHaveLength(1);
  expect((await occasion.workflow.describe()).runId).toBe(runId);
});

test('a known workflow that is gone is started again, and sleeps until its wake', async () => {
  const occasion = on.stage(asleepForAYear);
  await plan(occasion, { wakeAt: Date.now() + DAY, notifiedWakeAt: Date.now() + 2 * DAY });

  notify();

  await expect.poll(() => notified, WAIT).toEqual(['woken']);
  expect((await occasion.workflow.describe()).status.name).toBe('RUNNING');
  expect(occasion.calls).toEqual([]);
});

test('the workflow of an ended occasion is asked to end; if there is none, none is started', async () => {
  const [ended, never] = [on.stage(() => ENDED), on.stage(() => ENDED)];
  await on.workflows.start(ended, 100 * DAY);
  for (const each of [ended, never]) await plan(each, { endedAt: Date.now() });

  notify();

  await ended.workflow.result();
  for (const each of [ended, never]) {
    await expect.poll(async () => (await find(each)).endNotifiedAt, WAIT).not.toBeNull();
  }
  await expect(never.workflow.describe()).rejects.toThrow(/not found/);
});

test('two schedulers side by side notify each occasion once', async () => {
  const occasions = Array.from({ length: 60 }, () => on.stage(asleepForAYear));
  for (const occasion of occasions) await plan(occasion, { wakeAt: Date.now() + 100 * DAY });

  notify();
  notify();

  for (const occasion of occasions) {
    await expect.poll(async () => (await find(occasion)).notifiedWakeAt, WAIT).not.toBeNull();
  }
  expect(notified).toEqual(occasions.map(() => 'started'));
});

test('one that is planned again while it is notified is notified again, of the new plan', async () => {
  const occasion = on.stage(asleepForAYear);
  const wakeAt = Date.now() + 100 * DAY;
  await plan(occasion, { wakeAt });
  const workflows: OccasionWorkflows = {
    ...on.workflows,
    async start(...call) {
      if (notified.length === 0) await plan(occasion, { wakeAt: wakeAt - DAY });
      return on.workflows.start(...call);
    },
  };

  notify(workflows);

  await expect.poll(() => find(occasion), WAIT).toMatchObject({ notifiedWakeAt: wakeAt - DAY });
  expect(notified).toEqual(['started', 'woken']);
});

test('an end that deliver records meanwhile is not overwritten, and is notified again', async () => {
  const occasion = on.stage(asleepForAYear);
  const wakeAt = Date.now() + 100 * DAY;
  await plan(occasion, { wakeAt });
  const workflows: OccasionWorkflows = {
    ...on.workflows,
    async start() {
      // It has ended, and deliver has recorded that.
      await plan(occasion, { endedAt: Date.now(), endNotifiedAt: Date.now() });
      return true;
    },
  };

  notify(workflows);

  await expect.poll(() => notified, WAIT).toEqual(['started', 'ended']);
  await expect
    .poll(async () => (await find(occasion)).endNotifiedAt, WAIT)
    .toBeGreaterThan(Date.now() - DAY);
  expect(await find(occasion)).toMatchObject({ notifiedWakeAt: null });
});

test('while dispatchers send a herd it waits', async () => {
  await plan(on.stage(asleepForAYear), { wakeAt: Date.now() + DAY });
  let asked = 0;
  let isLeft = true;
  notify(undefined, async () => {
    asked += 1;
    return isLeft;
  });
  await expect.poll(() => asked, WAIT).toBeGreaterThanOrEqual(3);
  expect(notified).toEqual([]);
  isLeft = false;
  await expect.poll(() => notified, WAIT).toEqual(['started']);
});

test('while requests are slow it slows down, but continues', async () => {
  const rates: number[] = [];
  await plan(on.stage(asleepForAYear), { wakeAt: Date.now() + DAY });
  notify(
    undefined,
    undefined,
    async () => true,
    (rate) => rates.push(rate),
  );
  await expect.poll(() => rates.length, WAIT).toBeGreaterThanOrEqual(5);
  expect(rates.slice(0, 5)).toEqual([50, 25, 12.5, 6.25, 3.125]);
  await expect.poll(() => notified, WAIT).toEqual(['started']);
});

test('a row that another transaction keeps locked does not delay the others', async () => {
  const [locked, other] = [on.stage(asleepForAYear), on.stage(asleepForAYear)];
  await plan(locked, { wakeAt: Date.now() + DAY });
  await plan(other, { wakeAt: Date.now() + 2 * DAY });
  const { promise: done, resolve: commit } = Promise.withResolvers<void>();
  const { promise: isLocked, resolve: lock } = Promise.withResolvers<void>();
  const holding = database.orm.em.fork().transactional(async (em) => {
    await em.execute('select from events.occasions where id = ? for update', [locked.id]);
    lock();
    await done;
  });
  await isLocked;

  notify();

  await expect.poll(async () => (await find(other)).notifiedWakeAt, WAIT).not.toBeNull();
  expect((await find(locked)).notifiedWakeAt).toBeNull();
  commit();
  await holding;
  await expect.poll(async () => (await find(locked)).notifiedWakeAt, WAIT).not.toBeNull();
});

test('what a killed scheduler has taken and not recorded, another notifies', async () => {
  const occasion = on.stage(asleepForAYear);
  await plan(occasion, { wakeAt: Date.now() + 100 * DAY });
  await createNotifyStore(database.orm).takeToWake(10);
  await rows.sql(`update events.occasions set notify_after = notify_after - interval '29 seconds'`);

  notify();

  await expect.poll(() => notified, WAIT).toEqual(['started']);
});

test('one that Temporal refuses is named in the log, waits, and delays no other', async () => {
  const refused = { ...on.stage(asleepForAYear), type: `a${'b'.repeat(2_000)}` };
  const other = on.stage(asleepForAYear);
  await plan(refused, { wakeAt: Date.now() + DAY });
  await plan(other, { wakeAt: Date.now() + 2 * DAY });

  notify();

  await expect.poll(async () => (await find(other)).notifiedWakeAt, WAIT).not.toBeNull();
  expect(logged).toContainEqual(
    expect.objectContaining({
      occasion: `${refused.type}/${refused.id}`,
      msg: 'Temporal refuses to be notified of an occasion',
    }),
  );
  const { notifyAfter, notifiedWakeAt } = await find(refused);
  expect(notifiedWakeAt).toBeNull();
  expect(notifyAfter).toBeGreaterThan(Date.now() + 60_000);
});

test('while Temporal is down all wait, which is logged once; when it is back all are notified', async () => {
  const port = await freePort();
  const away = connectTemporal({
    TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
    TEMPORAL_DEV_PORT: 0,
    TEMPORAL_TASK_QUEUE: on.taskQueue,
  });
  onTestFinished(() => away.close());
  const occasions = Array.from({ length: 3 }, () => on.stage(asleepForAYear));
  for (const occasion of occasions) await plan(occasion, { wakeAt: Date.now() + 100 * DAY });

  notify(createOccasionWorkflows(away.client, on.taskQueue));
  const isAway = /^workflows cannot be notified now/;
  const lines = (level: number) =>
    logged.filter((line) => line['level'] === level && isAway.test(String(line['msg'])));
  await expect.poll(() => lines(20), WAIT).not.toEqual([]);
  const server = await startDevServer({ binary: await findDevServerProgram(), port });
  onTestFinished(() => server.stop());

  for (const occasion of occasions) {
    await expect.poll(async () => (await find(occasion)).notifiedWakeAt, WAIT).not.toBeNull();
  }
  expect(lines(40)).toHaveLength(1);
  expect(logged.at(-1)).toMatchObject({ msg: 'workflows are notified again' });
});

test('a redelivery is notified to its workflow, once, if no dispatcher is alive', async () => {
  const occasion = on.stage(asleepForAYear);
  await on.workflows.start(occasion, 100 * DAY);
  await rows.sql(
    'insert into events.dispatchers (id, stamped_at) values (gen_random_uuid(), events.clock())',
  );
  const key = await rows.addOccurrence(occasion.id, { dueAt: Date.now() - DAY });
  await rows.sql(
    'update events.occurrences set redeliveries = 1, redelivered_at = now(), priority = 1 where key = ?',
    [key],
  );

  notify();

  expect(occasion.calls).toEqual([]);
  await rows.sql(`update events.dispatchers set stamped_at = stamped_at - interval '5 seconds'`);
  await expect.poll(() => occasion.calls, WAIT).toHaveLength(1);
  await expect.poll(() => rows.find(key), WAIT).toMatchObject({ state: 'PENDING', followed: true });
  expect(notified).toEqual(['redelivered']);
});

test('it stops in the middle of its work, and leaves nothing leased', async () => {
  for (let nth = 0; nth < 100; nth += 1) {
    await plan(on.stage(asleepForAYear), { wakeAt: Date.now() + 100 * DAY });
  }
  const notifier = notify();
  await expect.poll(() => notified.length, WAIT).toBeGreaterThan(5);

  await notifier.stop();

  const [left] = await rows.sql<{ leased: number; waiting: number }>(`
    select count(*) filter (where notify_after is not null)::int as leased,
      count(*) filter (where notified_wake_at is null)::int as waiting
    from events.occasions`);
  expect(left).toEqual({ leased: 0, waiting: 100 - notified.length });
});

interface OccasionValues {
  readonly wakeAt?: number;
  readonly notifiedWakeAt?: number;
  readonly endedAt?: number;
  readonly endNotifiedAt?: number;
}

/** As written by the planner and deliver; instants are epoch ms. */
async function plan({ type, id, userId }: StagedOccasion, values: OccasionValues): Promise<void> {
  const { wakeAt = null, notifiedWakeAt = null, endedAt = null, endNotifiedAt = null } = values;
  await rows.sql(
    `insert into events.occasions as o (type, id, user_id, wake_at, notified_wake_at, ended_at, end_notified_at)
     values (:type, :id, :userId, ${instant(':wakeAt')}, ${instant(':notifiedWakeAt')},
       ${instant(':endedAt')}, ${instant(':endNotifiedAt')})
     on conflict (type, id) do update
     set version = o.version + 1, wake_at = excluded.wake_at, ended_at = excluded.ended_at,
       end_notified_at = excluded.end_notified_at`,
    { type, id, userId, wakeAt, notifiedWakeAt, endedAt, endNotifiedAt },
  );
}

interface OccasionRow {
  readonly notifiedWakeAt: number | null;
  readonly endNotifiedAt: number | null;
  readonly notifyAfter: number | null;
}

async function find({ type, id }: StagedOccasion): Promise<OccasionRow> {
  const [row] = await rows.sql<OccasionRow>(
    `select ${ms('notified_wake_at', 'notifiedWakeAt')}, ${ms('end_notified_at', 'endNotifiedAt')},
       ${ms('notify_after', 'notifyAfter')}
     from events.occasions where type = :type and id = :id`,
    { type, id },
  );
  if (row === undefined) throw new Error(`there is no occasion ${type}/${id}`);
  return row;
}
