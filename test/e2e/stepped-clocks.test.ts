// @module-tag long
/**
 * Clocks that are minutes off, or are set while a herd is sent: never early, nothing twice, nothing
 * missing.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';

import { loadTzDatabase } from '../../src/platform/load-tz-database.ts';
import { createTestApi } from '../support/api.ts';
import { askRun } from '../support/ask-run.ts';
import { startDispatcherProcess } from '../support/dispatcher-process.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess } from '../support/process.ts';
import { createSteppedClock, type SteppedClock } from './stepped-clock.ts';
import { findWorkflowBundle, uniqueTaskQueue } from '../support/temporal.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { dueInstants } from '../support/instant-zones.ts';
import { temporaryDataDir } from '../support/started-daybell.ts';

const WITHIN = { timeout: 60_000, interval: 50 };
const MINUTE_S = 60;
const HERD = 300;
/** The environment of the processes that tests start. */
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

let receiver: WebhookReceiver;

beforeEach(async () => {
  receiver = await startWebhookReceiver();
});
afterEach(() => receiver.close());

async function steppedClock(): Promise<SteppedClock> {
  const clock = await createSteppedClock();
  onTestFinished(clock.remove);
  return clock;
}

async function database(): Promise<[TestDatabase, EventRows]> {
  const opened = await createTestDatabase();
  onTestFinished(opened.drop);
  return [opened, createEventRows(opened.orm)];
}

/** Everything that arrived, in the order of keys, once the whole herd is delivered. */
async function greetingsOf(rows: EventRows, keys: readonly string[]): Promise<string[]> {
  const completed = () =>
    rows
      .sql<{ count: number }>(
        "select count(*)::int as count from events.occurrences where state = 'COMPLETED'",
      )
      .then(([row]) => row?.count);
  await expect.poll(completed, WITHIN).toBe(keys.length);
  return receiver.received.map(({ id }) => id).toSorted();
}

function firstGreetingAt(): number {
  return Math.min(...receiver.received.map(({ at }) => at));
}

test('a dispatcher whose clock jumps ahead just before the instant sends nothing early', async () => {
  const [opened, rows] = await database();
  const clock = await steppedClock();
  await startDispatcherProcess(opened.url, receiver.url, {
    ...clock.environment,
    WEBHOOK_CONCURRENCY: '8',
  });
  const dueAt = Date.now() + 3_000;
  const keys = await rows.addHerd(HERD, dueAt);
  await clock.step(MINUTE_S);
  expect(await greetingsOf(rows, keys)).toEqual(keys.toSorted());
  expect(firstGreetingAt()).toBeGreaterThanOrEqual(dueAt);
});

test('a clock that is set back while a herd is sent delays the rest until it is correct again', async () => {
  const [opened, rows] = await database();
  const clock = await steppedClock();
  // In the middle of the herd, while the receiver keeps requests in flight waiting.
  const held: ServerResponse[] = [];
  receiver.answer((response) => {
    if (receiver.received.length <= HERD / 4) response.end();
    else held.push(response);
  });
  await startDispatcherProcess(opened.url, receiver.url, {
    ...clock.environment,
    WEBHOOK_CONCURRENCY: '8',
  });
  const dueAt = Date.now() + 1_000;
  const keys = await rows.addHerd(HERD, dueAt);
  await expect.poll(() => held.length, WITHIN).toBeGreaterThan(0);
  await clock.step(-MINUTE_S);
  receiver.answer((response) => void response.end());
  for (const response of held) response.end();
  const claimed = 'select key from events.occurrences where lease_until is not null';
  await expect.poll(() => rows.sql(claimed), WITHIN).toEqual([]);
  const meanwhile = receiver.received.length;
  expect(meanwhile).toBeLessThan(HERD);
  await sleep(1_000);
  expect(receiver.received.length).toBe(meanwhile);
  await clock.step(0);
  expect(await greetingsOf(rows, keys)).toEqual(keys.toSorted());
  expect(firstGreetingAt()).toBeGreaterThanOrEqual(dueAt);
});

test('of two dispatchers, one ahead and one behind by a minute, at least one is in time', async () => {
  const [opened, rows] = await database();
  const [ahead, behind] = [await steppedClock(), await steppedClock()];
  await ahead.step(MINUTE_S);
  await behind.step(-MINUTE_S);
  await Promise.all(
    [ahead, behind].map(({ environment }) =>
      startDispatcherProcess(opened.url, receiver.url, environment),
    ),
  );
  const dueAt = Date.now() + 1_000;
  const keys = await rows.addHerd(HERD, dueAt);
  expect(await greetingsOf(rows, keys)).toEqual(keys.toSorted());
  expect(firstGreetingAt()).toBeGreaterThanOrEqual(dueAt);
  const sent = Math.max(...receiver.received.map(({ at }) => at));
  expect(sent).toBeLessThan(dueAt + MINUTE_S * 1_000);
});

test('a dispatcher that is six minutes ahead has nothing refused, and leaves the herd to another', async () => {
  const [opened, rows] = await database();
  const clock = await steppedClock();
  await clock.step(6 * MINUTE_S);
  const webhook = new Webhook(SECRET);
  receiver.answer((response, { rawBody, headers }) => {
    try {
      webhook.verify(rawBody, headers as Record<string, string>);
      response.end();
    } catch {
      response.writeHead(401).end();
    }
  });
  const skewed = await startDispatcherProcess(opened.url, receiver.url, clock.environment);
  const keys = await rows.addHerd(HERD, Date.now());
  await skewed.line(/"alarm":"clock-skew"/);
  await startDispatcherProcess(opened.url, receiver.url);
  expect(await greetingsOf(rows, keys)).toEqual(keys.toSorted());
});

describe.concurrent('from a new user to the greeting', { timeout: 480_000 }, () => {
  test.for([
    { planning: MINUTE_S, worker: MINUTE_S, delivery: MINUTE_S },
    { planning: -MINUTE_S, worker: -MINUTE_S, delivery: MINUTE_S },
  ])(
    'with clocks off by $planning, $worker and $delivery s',
    async (offsets, { expect, onTestFinished: whenFinished }) => {
      const instants = dueInstants(await temporaryDataDir(whenFinished));
      const own = await startWebhookReceiver();
      whenFinished(own.close);
      const tz = loadTzDatabase(instants.settings.ZONE_DATA);
      const api = await createTestApi({ tz });
      whenFinished(api.database.drop);
      const rules = { DATABASE_URL: api.database.url, ...instants.settings };
      expect(await runProcess(ENTRIES.migrate, rules).exited).toBe(0);
      const settings = {
        ...rules,
        TEMPORAL_ADDRESS: await askRun('dev-server'),
        TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
        WORKFLOW_BUNDLE: await findWorkflowBundle(),
        WEBHOOK_URL: own.url,
        WEBHOOK_SECRETS: SECRET,
        WEBHOOK_ALLOW_PRIVATE: 'true',
      };
      await Promise.all(
        Object.entries(offsets).map(async ([entry, seconds]) => {
          const clock = await createSteppedClock();
          whenFinished(clock.remove);
          await clock.step(seconds);
          const given = { ...clock.environment, ...settings };
          const started = runProcess(`src/${entry}/main.ts`, given);
          whenFinished(async () => void (await started.stop('SIGKILL')));
          await started.line(/"ready"/);
        }),
      );
      const due = instants.next(15_000);
      const { body: user } = await api.send('POST', '/v1/users', {
        firstName: 'Ada',
        lastName: 'Lovelace',
        dateOfBirth: instants.dateOfBirth,
        timezone: due.timezone,
      });
      const nextYear = async () =>
        (
          await api.sql<{ year: number }>(
            `select left(nominal_date, 4)::int as year from events.occurrences
             where state = 'PENDING' and user_id = ?`,
            [user.id],
          )
        ).some(({ year }) => year > new Date(due.at).getUTCFullYear());
      await expect.poll(nextYear, { ...WITHIN, timeout: 150_000 }).toBe(true);
      const year = new Date(due.at).getUTCFullYear();
      expect(own.received.map(({ id }) => id)).toEqual([`birthday:${user.id}:${year}`]);
      expect(own.received[0]?.at).toBeGreaterThanOrEqual(due.at);
    },
  );
});
