// @module-tag long
/** S9, S16, S17, S18 and S19 of the table: one of the two paths is away. On a real server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';

import { createPlanner } from '../../src/planning/planner.ts';
import { recordRules } from '../../src/planning/rules.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { startDaybell, type TestDaybell } from '../support/daybell.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import { freePort } from '../support/free-port.ts';
import { connectTo, findDevServerProgram, type TestTemporal } from '../support/temporal.ts';
import { withStatus } from '../support/webhook-receiver.ts';
import { bundledTz } from '../support/tz-databases.ts';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;
const PATIENT = { timeout: 150_000, interval: 100 };
const WAKE = { afterMs: 10_000, perSecond: 15 };

let directory: string;
let server: DevServer;
let temporal: TestTemporal;
let startServer: () => Promise<DevServer>;
let daybell: TestDaybell;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybell-paths-'));
  const [port, binary] = await Promise.all([freePort(), findDevServerProgram()]);
  startServer = () => startDevServer({ binary, port, database: join(directory, 'temporal.db') });
  server = await startServer();
  temporal = await connectTo(server.address);
  daybell = await startDaybell({ ...temporal, dispatches: false, wake: WAKE });
});
afterAll(async () => {
  await daybell.stop();
  await temporal.close();
  await server.stop();
  await rm(directory, { recursive: true });
});
afterEach(async () => {
  daybell.receiver.answer(withStatus(200));
  await daybell.dispatcher.stop();
  await Promise.all([daybell.worker.start(), daybell.scheduler.start()]);
});

/** Kills Temporal, as the worker is stopped; it comes back with all that it had. */
async function loseTemporal(): Promise<() => Promise<void>> {
  await daybell.worker.stop();
  await server.stop();
  return async () => {
    server = await startServer();
    await daybell.worker.start();
  };
}

test('S16 all dispatchers are down over 9:00: sent by the workflows, within 30 s of the instant', async () => {
  const dueAt = await setLocalTime(20 * SECOND);
  const users = await Promise.all(Array.from({ length: 5 }, () => createUserDue(dueAt)));

  for (const userId of users) {
    await expect.poll(() => daybell.greetingsOf(userId), PATIENT).toHaveLength(1);
    const [greeting] = daybell.greetingsOf(userId);
    expect(greeting?.at).toBeGreaterThanOrEqual(dueAt);
    expect(greeting?.at).toBeLessThan(dueAt + 30 * SECOND);
    await expect.poll(() => daybell.ledgerOf(userId), PATIENT).toEqual(['COMPLETED', 'PENDING']);
    expect(await sendersOf(userId)).toEqual(['workflow']);
    expect(await daybell.statusOf(userId)).toMatchObject({
      waitingFor: 'instant',
      answer: { settled: { outcome: 'delivered', sentBy: 'workflow', attempts: 1 } },
    });
  }
});

test('S9, S17 Temporal is down from before 9:00 on, the receiver fails for ten seconds: sent on time, retried, and next year planned at once', async () => {
  await daybell.dispatcher.start();
  const bringBack = await loseTemporal();
  const dueAt = await setLocalTime(20 * SECOND);
  // Nobody can be notified of it.
  const userId = await createUserDue(dueAt, { isNotified: false });
  daybell.receiver.answer((response) =>
    withStatus(Date.now() < dueAt + 10 * SECOND ? 503 : 200)(response),
  );

  await expect.poll(() => daybell.greetingsOf(userId), PATIENT).not.toEqual([]);
  const [first] = daybell.greetingsOf(userId);
  expect(first?.at).toBeGreaterThanOrEqual(dueAt);
  expect(first?.at).toBeLessThan(dueAt + 5 * SECOND);
  await expect.poll(() => daybell.ledgerOf(userId), PATIENT).toEqual(['COMPLETED', 'PENDING']);
  expect(new Set(daybell.greetingsOf(userId).map(({ id }) => id)).size).toBe(1);
  expect(new Set(await sendersOf(userId))).toEqual(new Set(['dispatcher']));
  expect(await notifiedWakeOf(userId)).toBeNull();

  await bringBack();
  await daybell.notified();
  expect((await daybell.workflowOf(userId).describe()).status.name).toBe('RUNNING');
  const wake = await notifiedWakeOf(userId);
  expect(wake).toBeGreaterThan(Date.now() + 300 * DAY);
});

test('S18 Temporal is down for two days: what is due on each of them is sent on time', async () => {
  await daybell.dispatcher.start();
  const dueAt = await setLocalTime(60 * SECOND);
  const [today, tomorrow] = [await createUserDue(dueAt), await createUserDue(dueAt + DAY)];
  const bringBack = await loseTemporal();
  onTestFinished(() => daybell.clock.set(Date.now()));

  await daybell.clock.set(dueAt);
  await expect.poll(() => daybell.ledgerOf(today), PATIENT).toEqual(['COMPLETED', 'PENDING']);
  await daybell.clock.set(dueAt + DAY);
  await expect.poll(() => daybell.ledgerOf(tomorrow), PATIENT).toEqual(['COMPLETED', 'PENDING']);

  for (const userId of [today, tomorrow]) {
    const [greeting, ...more] = daybell.greetingsOf(userId);
    expect(greeting?.body.data.late).toBe(false);
    expect(more).toEqual([]);
  }
  await bringBack();
  await daybell.notified();
});

test('S19 the scheduler is killed between planning and notifying; a change is notified twice, and out of order: nothing twice', async () => {
  await daybell.scheduler.stop();
  const dueAt = await setLocalTime(20 * SECOND);
  const userId = await createUserDue(dueAt, { isNotified: false });
  const { orm } = daybell.api.database;
  const planner = createPlanner({
    orm,
    settings: { tz: bundledTz, lateLimitMs: 2 * DAY, wake: WAKE },
    clock: Date.now,
    logger: pino({ level: 'silent' }),
  });
  await planner.plan([{ type: 'birthday', id: userId }]);
  expect(await notifiedWakeOf(userId)).toBeNull();

  await daybell.scheduler.start();
  await daybell.notified();
  const occasion = { type: 'birthday', id: userId, userId };
  const workflows = createOccasionWorkflows(temporal.client, daybell.taskQueue);
  await Promise.all([workflows.lookAgain(occasion), workflows.lookAgain(occasion)]);
  // As if it were of a plan that is long another.
  await workflows.start(occasion, 300 * DAY);

  await expect.poll(() => daybell.greetingsOf(userId), PATIENT).toHaveLength(1);
  await expect.poll(() => daybell.ledgerOf(userId), PATIENT).toEqual(['COMPLETED', 'PENDING']);
  expect(daybell.greetingsOf(userId)[0]?.at).toBeGreaterThanOrEqual(dueAt);
  await workflows.lookAgain(occasion);
  await expect
    .poll(() => daybell.statusOf(userId), PATIENT)
    .toMatchObject({ waitingFor: 'instant', answer: { settled: null } });
  expect(daybell.greetingsOf(userId)).toHaveLength(1);
});

/** 9:00 is the first full minute that is so far away; gives it, epoch ms. */
async function setLocalTime(awayMs: number): Promise<number> {
  const dueAt = Math.ceil((Date.now() + awayMs) / 60_000) * 60_000;
  const localTime = new Date(dueAt).toISOString().slice(11, 16);
  const rules = { localTime, leapDayPolicy: 'feb28', tzVersion: bundledTz.version } as const;
  await recordRules(daybell.api.database.orm.em.fork(), rules);
  return dueAt;
}

async function createUserDue(dueAt: number, { isNotified = true } = {}): Promise<string> {
  const dateOfBirth = `1992${new Date(dueAt).toISOString().slice(4, 10)}`;
  const user = { firstName: 'Ada', lastName: 'Lovelace', dateOfBirth, timezone: 'Etc/UTC' };
  if (isNotified) return daybell.createUser(user);
  const { body } = await daybell.api.send('POST', '/v1/users', user);
  return body.id;
}

async function sendersOf(userId: string): Promise<string[]> {
  const attempts = await daybell.api.sql<{ sentBy: string }>(
    `select sent_by as "sentBy" from events.attempts where occurrence_key like ? order by number`,
    [`birthday:${userId}:%`],
  );
  return attempts.map(({ sentBy }) => sentBy);
}

/** Epoch ms. */
async function notifiedWakeOf(userId: string): Promise<number | null> {
  const [row] = await daybell.api.sql<{ at: number | null }>(
    `select (extract(epoch from notified_wake_at) * 1000)::float8 as at
     from events.occasions where id = ?`,
    [userId],
  );
  return row?.at ?? null;
}
