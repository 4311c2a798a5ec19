/**
 * What the ledger knows about when a workflow will wake, step by step: with the real planner,
 * notifier and deliver.
 */
import { pino } from 'pino';
import { afterEach, expect, onTestFinished, test } from 'vitest';

import { createPlanner } from '../../src/planning/planner.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { useDaybell } from '../support/daybell.ts';
import { bundledTz } from '../support/tz-databases.ts';

const DAY = 86_400_000;
const PATIENT = { timeout: 120_000, interval: 50 };
const WAKE = { afterMs: 10_000, perSecond: 15 };

const daybell = useDaybell({ wake: WAKE });
afterEach(async () => {
  await daybell.scheduler.start();
  await daybell.clock.set(Date.now());
});

test('if a date moves later, its workflow wakes early, and deliver then records the next wake', async () => {
  const userId = await userBornIn(10);
  const before = await find(userId);
  expect(before.notifiedWakeAt).toBe(before.wakeAt);

  await daybell.changeUser(userId, { dateOfBirth: bornIn(20) });

  const moved = await find(userId);
  expect(moved.wakeAt).toBeGreaterThan(Number(before.wakeAt) + 9 * DAY);
  expect(moved.notifiedWakeAt).toBe(before.notifiedWakeAt);
  await wakeWorkflow(userId);
  await expect.poll(() => find(userId), PATIENT).toMatchObject({ notifiedWakeAt: moved.wakeAt });
});

test('if a date moves earlier, the workflow is woken, and its call records the next wake', async () => {
  const userId = await userBornIn(20);

  await daybell.changeUser(userId, { dateOfBirth: bornIn(10) });

  const { wakeAt, notifiedWakeAt } = await find(userId);
  expect(notifiedWakeAt).toBe(wakeAt);
  await expect
    .poll(() => daybell.statusOf(userId), PATIENT)
    .toMatchObject({ waitingFor: 'instant', answer: { wakeAt } });
  expect(await find(userId)).toMatchObject({ wakeAt, notifiedWakeAt: wakeAt });
});

test('while the notifier is down nothing is known; when it is back, everything is', async () => {
  await daybell.scheduler.stop();
  const { body } = await daybell.api.send('POST', '/v1/users', { ...ADA, dateOfBirth: bornIn(10) });
  await plan(body.id);
  expect(await find(body.id)).toMatchObject({ notifiedWakeAt: null });

  await daybell.scheduler.start();

  await daybell.notified();
  const { wakeAt, notifiedWakeAt } = await find(body.id);
  expect(notifiedWakeAt).toBe(wakeAt);
});

test('if the scheduler plans first after a settlement, the workflow wakes at the old instant, and records the next', async () => {
  const userId = await userBornIn(10);
  const before = await find(userId);

  await untilSent(userId);
  await expect.poll(() => daybell.ledgerOf(userId), PATIENT).toEqual(['COMPLETED', 'PENDING']);
  await expect.poll(async () => (await find(userId)).wakeAt, PATIENT).not.toBe(before.wakeAt);
  expect(await find(userId)).toMatchObject({ notifiedWakeAt: before.wakeAt });

  await wakeWorkflow(userId);
  const { wakeAt } = await find(userId);
  await expect.poll(() => find(userId), PATIENT).toMatchObject({ notifiedWakeAt: wakeAt });
  expect(await daybell.statusOf(userId)).toMatchObject({
    answer: { settled: { outcome: 'delivered', sentBy: 'dispatcher' } },
  });
});

test('if the workflow checks first after a settlement, it plans, and the scheduler has nothing to notify', async () => {
  const userId = await userBornIn(10);
  await daybell.scheduler.stop();
  await untilSent(userId);
  await expect.poll(() => daybell.ledgerOf(userId), PATIENT).toEqual(['COMPLETED']);

  await wakeWorkflow(userId);

  await expect.poll(() => daybell.ledgerOf(userId), PATIENT).toEqual(['COMPLETED', 'PENDING']);
  await expect
    .poll(async () => {
      const { wakeAt, notifiedWakeAt } = await find(userId);
      return notifiedWakeAt === wakeAt && wakeAt !== null && wakeAt > Date.now() + 300 * DAY;
    }, PATIENT)
    .toBe(true);
  await daybell.statusOf(userId);
  const { historyLength } = await daybell.workflowOf(userId).describe();
  await daybell.scheduler.start();
  await daybell.notified();
  expect((await daybell.workflowOf(userId).describe()).historyLength).toBe(historyLength);
});

test('if it is deleted between settling and planning, the workflow ends, and nothing follows', async () => {
  const userId = await userBornIn(10);
  await daybell.scheduler.stop();
  await untilSent(userId);
  await expect.poll(() => daybell.ledgerOf(userId), PATIENT).toEqual(['COMPLETED']);

  await daybell.deleteUser(userId);
  await daybell.scheduler.start();

  await daybell.workflowOf(userId).result();
  await expect.poll(async () => (await find(userId)).endNotifiedAt, PATIENT).not.toBeNull();
  expect(await find(userId)).toMatchObject({ wakeAt: null, notifiedWakeAt: null });
  expect(await daybell.ledgerOf(userId)).toEqual(['COMPLETED']);
});

test('an ended occasion that gets a new date gets a workflow again', async () => {
  const userId = await userBornIn(10);
  await daybell.scheduler.stop();
  // Like a one-off when it is settled.
  await daybell.api.sql(
    `update events.occasions set version = version + 1, ended_at = events.clock(), wake_at = null,
       wake_due_at = null where id = ?`,
    [userId],
  );
  await daybell.scheduler.start();
  await daybell.workflowOf(userId).result();
  await daybell.notified();
  expect(await find(userId)).toMatchObject({ notifiedWakeAt: null });

  await plan(userId);
  await daybell.notified();

  const { wakeAt, notifiedWakeAt, endNotifiedAt } = await find(userId);
  expect(notifiedWakeAt).toBe(wakeAt);
  expect(endNotifiedAt).toBeNull();
  expect((await daybell.workflowOf(userId).describe()).status.name).toBe('RUNNING');
});

const ADA = { firstName: 'Ada', lastName: 'Lovelace', timezone: 'Asia/Tokyo' };

/** A date that exists in every year; 9:00 in Tokyo is 00:00Z. */
function bornIn(days: number): string {
  const date = new Date(Date.now() + days * DAY).toISOString().slice(4, 10);
  return `1990${date.replace('02-29', '03-01')}`;
}

function userBornIn(days: number): Promise<string> {
  return daybell.createUser({ ...ADA, dateOfBirth: bornIn(days) });
}

/** The instant comes, by Daybell's clocks: the dispatcher sends. */
async function untilSent(userId: string): Promise<void> {
  const { dueAt } = await find(userId);
  onTestFinished(() => daybell.clock.set(Date.now()));
  await daybell.clock.set(dueAt ?? 0);
  await expect.poll(() => daybell.greetingsOf(userId), PATIENT).toHaveLength(1);
}

/** As if its timer had fired. */
async function wakeWorkflow(userId: string): Promise<void> {
  const workflows = createOccasionWorkflows(daybell.temporal.client, daybell.taskQueue);
  await workflows.lookAgain({ type: 'birthday', id: userId, userId });
}

async function plan(userId: string): Promise<void> {
  const planner = createPlanner({
    orm: daybell.api.database.orm,
    settings: { tz: bundledTz, lateAfterMs: 300_000, lateLimitMs: 2 * DAY, wake: WAKE },
    clock: daybell.clock.now,
    logger: pino({ level: 'silent' }),
  });
  await planner.plan([{ type: 'birthday', id: userId }]);
}

/** Instants are epoch ms. */
interface OccasionRow {
  readonly dueAt: number | null;
  readonly wakeAt: number | null;
  readonly notifiedWakeAt: number | null;
  readonly endNotifiedAt: number | null;
}

async function find(userId: string): Promise<OccasionRow> {
  const [row] = await daybell.api.sql<OccasionRow>(FIND, [userId]);
  if (row === undefined) throw new Error(`there is no occasion of ${userId}`);
  return row;
}

const FIND = `
  select (extract(epoch from wake_due_at) * 1000)::float8 as "dueAt",
    (extract(epoch from wake_at) * 1000)::float8 as "wakeAt",
    (extract(epoch from notified_wake_at) * 1000)::float8 as "notifiedWakeAt",
    (extract(epoch from end_notified_at) * 1000)::float8 as "endNotifiedAt"
  from events.occasions where id = ?`;
