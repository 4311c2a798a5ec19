/**
 * Another event type and another subscriber, beside birthdays and through all of Daybell:
 * nothing but what `test/support/anniversary.ts` brings is new.
 */
import { fileURLToPath } from 'node:url';

import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createReporter } from '../../src/delivery/reporter.ts';
import { birthday } from '../../src/event-types/birthday.ts';
import { registerEventTypes } from '../../src/event-types/registry.ts';
import { createOutbox } from '../../src/persistence/outbox-store.ts';
import { createReportQueue } from '../../src/persistence/report-queue.ts';
import { startRelay } from '../../src/relay/relay.ts';
import { createSchedulingSubscriber } from '../../src/relay/scheduling.ts';
import { createActivityReporter } from '../../src/temporal/activity-reporter.ts';
import { createScheduler } from '../../src/temporal/scheduler.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { bundleWorkflows } from '../../src/worker/workflow-bundle.ts';
import { type Anniversaries, anniversary, createAnniversaries } from '../support/anniversary.ts';
import { ADA, createTestApi, type TestApi } from '../support/api.ts';
import { createPlanAndDeliver } from '../support/plan-and-deliver.ts';
import { uniqueTaskQueue, useDevServer } from '../support/temporal.ts';
import { startDispatcher } from '../support/test-dispatcher.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const HOUR = 3_600_000;
const WAIT = { timeout: 60_000, interval: 50 };

let api: TestApi;
let receiver: WebhookReceiver;
let anniversaries: Anniversaries;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const eventTypes = registerEventTypes([birthday, anniversary]);
  const temporal = await useDevServer();
  const taskQueue = uniqueTaskQueue();
  const logger = pino({ level: 'silent' });
  api = await createTestApi({ eventTypes: eventTypes.names });
  const { orm, url } = api.database;
  receiver = await startWebhookReceiver();

  const scheduler = createScheduler(temporal.client, taskQueue);
  anniversaries = await createAnniversaries(orm, scheduler);
  const relay = startRelay({
    outbox: createOutbox(orm),
    subscribers: [createSchedulingSubscriber(scheduler), anniversaries.subscriber],
    logger,
  });
  const activities = createPlanAndDeliver(orm, eventTypes.facts);
  const workflowsPath = new URL('../support/anniversary-workflows.ts', import.meta.url);
  const worker = await createWorker({
    connection: temporal.connection,
    namespace: 'default',
    taskQueue,
    workflowBundle: await bundleWorkflows(new DefaultLogger('ERROR'), fileURLToPath(workflowsPath)),
    activities,
  });
  const working = worker.run();
  const dispatcher = await startDispatcher({
    databaseUrl: url,
    webhookUrl: receiver.url,
    eventTypes,
  });
  const reporter = createReporter({
    queue: createReportQueue(orm),
    engine: createActivityReporter(temporal.client),
    clock: Date.now,
    logger,
  });
  reporter.start();
  ends.push(
    relay.stop,
    async () => worker.shutdown(),
    () => working,
    dispatcher.stop,
    reporter.stop,
    receiver.close,
    temporal.close,
    api.database.drop,
  );
});
afterAll(async () => {
  for (const end of ends) await end();
});

test('an anniversary is delivered by its own key and in its own words, birthdays as ever', async () => {
  const { userId, date, year } = await createCelebrant();

  await celebrated(userId);
  expect(receivedFor(userId)).toHaveLength(1);
  const [received] = receivedFor(userId);
  const key = `anniversary:${userId}:${year}`;
  expect(received?.headers['webhook-id']).toBe(key);
  expect(received?.body).toMatchObject({
    type: 'anniversary.due',
    message: 'Happy anniversary, Ada',
    data: { occurrenceKey: key, userId, localDate: date, scheduledFor: `${date}T09:00:00.000Z` },
  });

  expect(await ledgerOf(userId)).toMatchObject([
    { event_type: 'anniversary', state: 'COMPLETED', year },
    { event_type: 'anniversary', state: 'PENDING', year: year + 1, timezone: 'UTC' },
    { event_type: 'birthday', state: 'PENDING', timezone: 'UTC' },
  ]);
  const { body } = await api.send('GET', `/v1/occurrences?eventType=anniversary&userId=${userId}`);
  expect(body.occurrences).toHaveLength(2);
});

test('a move reaches both, each by its own subscriber', async () => {
  const { userId } = await createCelebrant();
  await celebrated(userId);

  await api.send('PATCH', `/v1/users/${userId}`, { timezone: 'Asia/Tokyo' });

  const inTokyo = { state: 'PENDING', timezone: 'Asia/Tokyo' };
  await expect
    .poll(() => planned(userId), WAIT)
    .toMatchObject([
      { event_type: 'anniversary', ...inTokyo },
      { event_type: 'birthday', ...inTokyo },
    ]);
});

test('a date that is removed is the end of the anniversary, and not of the birthday', async () => {
  const { userId } = await createCelebrant();
  await celebrated(userId);

  await anniversaries.remove(userId);

  await expect
    .poll(() => ledgerOf(userId), WAIT)
    .toMatchObject([
      { event_type: 'anniversary', state: 'COMPLETED' },
      { event_type: 'anniversary', state: 'SKIPPED', reason: 'date_removed' },
      { event_type: 'birthday', state: 'PENDING' },
    ]);
});

test('a user who is deleted has neither, and the subscriber has tidied up', async () => {
  const { userId } = await createCelebrant();
  await celebrated(userId);

  await api.send('DELETE', `/v1/users/${userId}`);

  const skipped = { state: 'SKIPPED', reason: 'user_deleted' };
  await expect
    .poll(() => ledgerOf(userId), WAIT)
    .toMatchObject([{ state: 'COMPLETED' }, skipped, skipped]);
  const dates = 'select 1 from anniversaries.dates where user_id = ?';
  await expect.poll(() => api.sql(dates, [userId]), WAIT).toEqual([]);
});

/** A user, known for two days, whose anniversary was at the last 09:00 UTC: it is owed. */
async function createCelebrant() {
  // The birthday is half a year away, whatever day it is.
  const birthday = new Date(Date.now() - 180 * 24 * HOUR).toISOString().slice(4, 10);
  const { body: user } = await api.send('POST', '/v1/users', {
    ...ADA,
    dateOfBirth: birthday === '-02-29' ? '1990-02-28' : `1990${birthday}`,
    timezone: 'UTC',
  });
  await api.sql(
    `update users.users set created_at = now() - interval '40 hours',
       facts_changed_at = now() - interval '40 hours' where id = ?`,
    [user.id],
  );
  const date = new Date(Date.now() - 9 * HOUR).toISOString().slice(0, 10);
  await anniversaries.set(user.id, `2015${date.slice(4)}`, Date.now() - 40 * HOUR);
  return { userId: user.id as string, date, year: Number(date.slice(0, 4)) };
}

/** This year's is delivered, next year's planned, and the birthday too. */
async function celebrated(userId: string): Promise<void> {
  const states = [{ state: 'COMPLETED' }, { state: 'PENDING' }, { state: 'PENDING' }];
  await expect.poll(() => ledgerOf(userId), WAIT).toMatchObject(states);
}

function receivedFor(userId: string) {
  return receiver.received.filter(({ body }) => body.data.userId === userId);
}

function ledgerOf(userId: string): Promise<object[]> {
  return api.sql<object>(
    `select event_type, state, reason, year, timezone from events.occurrences
     where user_id = ? order by event_type, year`,
    [userId],
  );
}

async function planned(userId: string): Promise<object[]> {
  return api.sql<object>(
    `select event_type, state, timezone from events.occurrences
     where user_id = ? and state = 'PENDING' order by event_type`,
    [userId],
  );
}
