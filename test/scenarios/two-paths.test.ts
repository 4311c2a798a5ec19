// @module-tag long
/** S9, S16, S17, S18 and S19 of the table: one of the two paths is down. On a real server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { pino } from 'pino';
import { afterAll, beforeAll, describe, test, type TestContext } from 'vitest';

import { BIRTHDAY } from '../../src/ledger/occurrence-key.ts';
import { createPlanner } from '../../src/planning/planner.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { startDevServer } from '../support/dev-server.ts';
import { freePort } from '../support/free-port.ts';
import { type InstantDaybell, startInstantDaybell } from '../support/instant-daybell.ts';
import type { DueInstant } from '../support/instant-zones.ts';
import {
  connectTo,
  findDevServerProgram,
  type TestTemporal,
  useDevServer,
} from '../support/temporal.ts';
import { withStatus } from '../support/webhook-receiver.ts';
import { YEARLY_TYPES } from './support/world.ts';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;
const PATIENT = { timeout: 150_000, interval: 100 };
const WAKE = { afterMs: 10_000, perSecond: 15 };
/** The time to create a few users, and to stop a server. */
const LEAD_MS = 15 * SECOND;

let shared: TestTemporal;
beforeAll(async () => {
  shared = await useDevServer();
});
afterAll(() => shared.close());

type WhenFinished = TestContext['onTestFinished'];

/** On the run's server. */
async function start(whenFinished: WhenFinished): Promise<InstantDaybell> {
  const daybell = await startInstantDaybell({ ...shared, dispatches: false, wake: WAKE });
  whenFinished(daybell.stop);
  return daybell;
}

/**
 * With a dispatcher, on a server of its own: `loseTemporal` kills that, as the worker is stopped;
 * what it gives brings it back with all that it had.
 */
async function startOnOwnServer(whenFinished: WhenFinished) {
  const directory = await mkdtemp(join(tmpdir(), 'daybell-paths-'));
  const [port, binary] = await Promise.all([freePort(), findDevServerProgram()]);
  const startServer = () =>
    startDevServer({ binary, port, database: join(directory, 'temporal.db') });
  let server = await startServer();
  const temporal = await connectTo(server.address);
  const daybell = await startInstantDaybell({ ...temporal, wake: WAKE });
  whenFinished(async () => {
    await daybell.stop();
    await temporal.close();
    await server.stop();
    await rm(directory, { recursive: true });
  });
  return {
    daybell,
    async loseTemporal() {
      await daybell.worker.stop();
      await server.stop();
      return async () => {
        server = await startServer();
        await daybell.worker.start();
      };
    },
  };
}

/** Each has its own Daybell, and waits for its own instant: side by side. */
describe.concurrent('one of the two paths is down', { timeout: 400_000 }, () => {
  test('S16 all dispatchers are down over 9:00: sent by the workflows, within 30 s of the instant', async ({
    expect,
    onTestFinished,
  }) => {
    const daybell = await start(onTestFinished);
    const due = daybell.instants.next(LEAD_MS);
    const dueAt = due.at;
    const occasions = await Promise.all(
      [...YEARLY_TYPES, ...YEARLY_TYPES, ...YEARLY_TYPES].map(async (type) => {
        return { type, id: await createDue(daybell, due, { type }) };
      }),
    );

    for (const { type, id } of occasions) {
      await expect.poll(() => daybell.greetingsOf(id), PATIENT).toHaveLength(1);
      const [greeting] = daybell.greetingsOf(id);
      expect(greeting?.at).toBeGreaterThanOrEqual(dueAt);
      expect(greeting?.at).toBeLessThan(dueAt + 30 * SECOND);
      await expect.poll(() => daybell.ledgerOf(id), PATIENT).toEqual(['COMPLETED', 'PENDING']);
      expect(await sendersOf(daybell, id)).toEqual(['workflow']);
      expect(await daybell.statusOf(id, type)).toMatchObject({
        waitingFor: 'instant',
        answer: { settled: { outcome: 'delivered', sentBy: 'workflow', attempts: 1 } },
      });
    }
  });

  test('S9, S17 Temporal is down from before 9:00 on, the receiver fails for ten seconds: sent on time, retried, and next year planned at once', async ({
    expect,
    onTestFinished,
  }) => {
    const { daybell, loseTemporal } = await startOnOwnServer(onTestFinished);
    const bringBack = await loseTemporal();
    const due = daybell.instants.next(LEAD_MS);
    const dueAt = due.at;
    // They cannot be notified.
    const isNotified = false;
    const birthday = await createDue(daybell, due, { isNotified });
    const anniversary = await createDue(daybell, due, { isNotified, type: 'anniversary' });
    daybell.receiver.answer((response) =>
      withStatus(Date.now() < dueAt + 10 * SECOND ? 503 : 200)(response),
    );

    for (const id of [birthday, anniversary]) {
      await expect.poll(() => daybell.greetingsOf(id), PATIENT).not.toEqual([]);
      const [first] = daybell.greetingsOf(id);
      expect(first?.at).toBeGreaterThanOrEqual(dueAt);
      expect(first?.at).toBeLessThan(dueAt + 5 * SECOND);
      await expect.poll(() => daybell.ledgerOf(id), PATIENT).toEqual(['COMPLETED', 'PENDING']);
      expect(new Set(daybell.greetingsOf(id).map((greeting) => greeting.id)).size).toBe(1);
      expect(new Set(await sendersOf(daybell, id))).toEqual(new Set(['dispatcher']));
      expect(await notifiedWakeOf(daybell, id)).toBeNull();
    }

    await bringBack();
    await daybell.notified();
    for (const workflow of [
      daybell.workflowOf(birthday),
      daybell.workflowOf(anniversary, 'anniversary'),
    ]) {
      expect((await workflow.describe()).status.name).toBe('RUNNING');
    }
    for (const id of [birthday, anniversary]) {
      expect(await notifiedWakeOf(daybell, id)).toBeGreaterThan(Date.now() + 300 * DAY);
    }
  });

  test('S18 a daily reminder, Temporal is down for two days: sent on time on both', async ({
    expect,
    onTestFinished,
  }) => {
    const { daybell, loseTemporal } = await startOnOwnServer(onTestFinished);
    const due = daybell.instants.next(60 * SECOND);
    const dueAt = due.at;
    const reminder = await createDue(daybell, due, { type: 'reminder', recurrence: 'daily' });
    const bringBack = await loseTemporal();

    await daybell.clock.set(dueAt);
    await expect.poll(() => daybell.ledgerOf(reminder), PATIENT).toEqual(['COMPLETED', 'PENDING']);
    await daybell.clock.set(dueAt + DAY);
    await expect
      .poll(() => daybell.ledgerOf(reminder), PATIENT)
      .toEqual(['COMPLETED', 'COMPLETED', 'PENDING']);

    expect(daybell.greetingsOf(reminder).map(({ body }) => body.data.late)).toEqual([false, false]);
    await bringBack();
    await daybell.notified();
  });

  test.for(YEARLY_TYPES)(
    'S19 the scheduler is killed between planning and notifying; a change is notified twice, and out of order: nothing is sent twice (%s)',
    async (type, { expect, onTestFinished }) => {
      const daybell = await start(onTestFinished);
      await daybell.scheduler.stop();
      const due = daybell.instants.next(LEAD_MS);
      const dueAt = due.at;
      const id = await createDue(daybell, due, { type, isNotified: false });
      const { orm } = daybell.api.database;
      const planner = createPlanner({
        orm,
        settings: { tz: daybell.tz, lateAfterMs: 300_000, lateLimitMs: 2 * DAY, wake: WAKE },
        clock: Date.now,
        logger: pino({ level: 'silent' }),
      });
      await planner.plan([{ type, id }]);
      expect(await notifiedWakeOf(daybell, id)).toBeNull();

      await daybell.scheduler.start();
      await daybell.notified();
      const occasion = { type, id, userId: await userOf(daybell, id) };
      const workflows = createOccasionWorkflows(shared.client, daybell.taskQueue);
      await Promise.all([workflows.lookAgain(occasion), workflows.lookAgain(occasion)]);
      // As if it came from a plan that has long been replaced.
      await workflows.start(occasion, 300 * DAY);

      await expect.poll(() => daybell.greetingsOf(id), PATIENT).toHaveLength(1);
      await expect.poll(() => daybell.ledgerOf(id), PATIENT).toEqual(['COMPLETED', 'PENDING']);
      expect(daybell.greetingsOf(id)[0]?.at).toBeGreaterThanOrEqual(dueAt);
      await workflows.lookAgain(occasion);
      await expect
        .poll(() => daybell.statusOf(id, type), PATIENT)
        .toMatchObject({ waitingFor: 'instant', answer: { settled: null } });
      expect(daybell.greetingsOf(id)).toHaveLength(1);
    },
  );
});

/** An occasion of a new user, by default the birthday; returns its id, which is then the user's. */
async function createDue(
  { api, instants, notified }: InstantDaybell,
  { timezone }: DueInstant,
  { type = BIRTHDAY, recurrence = 'yearly', isNotified = true } = {},
): Promise<string> {
  const isBirthday = type === BIRTHDAY;
  const { dateOfBirth: date } = instants;
  const dateOfBirth = isBirthday ? date : instants.dateOfBirthIn(100);
  const name = { firstName: 'Ada', lastName: 'Lovelace' };
  const { body: user } = await api.send('POST', '/v1/users', { ...name, dateOfBirth, timezone });
  const occasion = { type, date, recurrence };
  const { body } = isBirthday
    ? { body: user }
    : await api.send('POST', `/v1/users/${user.id}/occasions`, occasion);
  if (isNotified) await notified();
  return body.id;
}

async function userOf({ api }: InstantDaybell, occasionId: string): Promise<string> {
  const [row] = await api.sql<{ userId: string }>(
    'select user_id as "userId" from events.occasions where id = ?',
    [occasionId],
  );
  return row?.userId ?? '';
}

async function sendersOf({ api }: InstantDaybell, occasionId: string): Promise<string[]> {
  const attempts = await api.sql<{ sentBy: string }>(
    `select sent_by as "sentBy" from events.attempts where occurrence_key like ? order by number`,
    [`%:${occasionId}:%`],
  );
  return attempts.map(({ sentBy }) => sentBy);
}

/** Epoch ms. */
async function notifiedWakeOf({ api }: InstantDaybell, id: string): Promise<number | null> {
  const [row] = await api.sql<{ at: number | null }>(
    `select (extract(epoch from notified_wake_at) * 1000)::float8 as at
     from events.occasions where id = ?`,
    [id],
  );
  return row?.at ?? null;
}
