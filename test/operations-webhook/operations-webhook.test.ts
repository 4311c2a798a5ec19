/** Operational events sent to a real receiver. */
import { pino } from 'pino';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createDeliveryControl } from '../../src/ledger/delivery-control.ts';
import { createLedgerState } from '../../src/ledger/ledger-state.ts';
import { createOperationsWebhook } from '../../src/operations-webhook/operations-webhook.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProcess } from '../support/process.ts';
import { bundledTz } from '../support/tz-databases.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import {
  startWebhookReceiver,
  type WebhookReceiver,
  withStatus,
} from '../support/webhook-receiver.ts';

const WITHIN = { timeout: 60_000, interval: 50 };
const HOUR = 3_600_000;
const LIMITS = { lateAfterMs: 300_000, lateLimitMs: 48 * HOUR, giveUpAfterMs: 72 * HOUR };
const SECRET = newWebhookSecret();

let database: TestDatabase;
let rows: EventRows;
let receiver: WebhookReceiver;
let logged: Record<string, unknown>[];
let running: { stop(): Promise<void> }[];
beforeEach(async () => {
  database = await createTestDatabase();
  rows = createEventRows(database.orm);
  receiver = await startWebhookReceiver();
  logged = [];
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((one) => one.stop()));
  await receiver.close();
  await database.drop();
});

/** What a scheduler runs. */
function start(timeoutMs = 60_000) {
  const { orm } = database;
  const webhook = createOperationsWebhook({
    destination: {
      WEBHOOK_URL: receiver.url,
      WEBHOOK_SECRETS: [SECRET],
      WEBHOOK_TIMEOUT_MS: timeoutMs,
      WEBHOOK_ALLOW_PRIVATE: true,
    },
    ledgerState: createLedgerState(orm, LIMITS),
    audit: { orm, tz: bundledTz, limits: LIMITS, clock: Date.now },
    logger: pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    metrics: createMetrics(),
  });
  webhook.start();
  running.push(webhook);
  return webhook;
}

const pause = (destination: string | null = null) =>
  createDeliveryControl(database.orm, LIMITS).pause('ticket 4711', destination);
const waiting = async () => (await rows.sql('select 1 from events.operations_events')).length;
const receivedIds = () => receiver.received.map(({ id }) => id);

test('an event is signed like deliveries, and removed once it is accepted', async () => {
  start();
  await pause();
  await expect.poll(receivedIds, WITHIN).toHaveLength(1);
  const [received] = receiver.received;
  const headers = received?.headers as Record<string, string>;
  expect(headers).toMatchObject({
    'webhook-id': expect.stringMatching(/^operations:[\da-f-]{36}$/),
    'daybell-attempt': '1',
  });
  expect(new Webhook(SECRET).verify(received?.rawBody ?? '', headers)).toMatchObject({
    type: 'destination.paused',
    data: { destination: 'default', reason: 'ticket 4711' },
  });
  await expect.poll(waiting, WITHIN).toBe(0);
});

test('one that is not accepted is repeated with the same id, until it is', async () => {
  receiver.answer((response) => {
    const status = [500, 401, 429][receiver.received.length - 1] ?? 204;
    withStatus(status)(response);
  });
  start();
  await pause();
  await expect.poll(receivedIds, WITHIN).toHaveLength(4);
  expect(new Set(receivedIds()).size).toBe(1);
  expect(receiver.received.map(({ headers }) => headers['daybell-attempt'])).toEqual([
    '1',
    '2',
    '3',
    '4',
  ]);
  await expect.poll(waiting, WITHIN).toBe(0);
  const refused = logged.filter(({ msg }) => msg === 'an operational event was not accepted');
  expect(refused).toMatchObject([{ type: 'destination.paused', status: 500 }]);
  expect(JSON.stringify(logged)).not.toContain(SECRET);
});

test('one that has not been accepted for a day is given up, and logged', async () => {
  receiver.answer(withStatus(500));
  start();
  await pause();
  await expect.poll(receivedIds, WITHIN).not.toEqual([]);
  await rows.sql(`update events.operations_events set created_at = created_at - interval '1 day'`);
  await expect.poll(waiting, WITHIN).toBe(0);
  expect(logged).toContainEqual(
    expect.objectContaining({ msg: 'an operational event was given up', level: 50, status: 500 }),
  );
});

test('a receiver that answers 410 gets it once', async () => {
  receiver.answer(withStatus(410));
  start();
  await pause();
  await expect.poll(receivedIds, WITHIN).toHaveLength(1);
  await expect.poll(waiting, WITHIN).toBe(0);
});

test('several schedulers send each event once', async () => {
  const destinations = Array.from({ length: 20 }, (_, index) => `crm-${index}`);
  await rows.sql(
    `insert into events.destinations (id) select * from jsonb_array_elements_text(?::jsonb)`,
    [JSON.stringify(destinations)],
  );
  for (let count = 0; count < 3; count += 1) start();
  await pause();
  await expect.poll(receivedIds, WITHIN).toHaveLength(21);
  await expect.poll(waiting, WITHIN).toBe(0);
  const told = receiver.received.map(({ body }) => body.data.destination);
  expect(told.toSorted()).toEqual([...destinations, 'default'].toSorted());
  expect(new Set(receivedIds()).size).toBe(21);
});

test('a stop does not wait for a hanging receiver, and the next start sends it again', async () => {
  receiver.answer(() => {});
  const stopped = start();
  await pause();
  await expect.poll(receivedIds, WITHIN).toHaveLength(1);
  await stopped.stop();
  receiver.answer(withStatus(204));
  start();
  await expect.poll(receivedIds, WITHIN).toHaveLength(2);
  expect(new Set(receivedIds()).size).toBe(1);
  await expect.poll(waiting, WITHIN).toBe(0);
});

test("an audit's unaccounted occurrences are reported", async () => {
  // Born on a day that is over everywhere, and nothing was ever planned.
  const day = new Date(Date.now() - 36 * HOUR).toISOString().slice(0, 10);
  const userId = await rows.addUser({
    dateOfBirth: `1988${day.slice(4)}`,
    createdAt: Date.now() - 30 * 24 * HOUR,
  });
  start();
  await expect
    .poll(() => receiver.received.map(({ body }) => body.type), WITHIN)
    .toEqual(['audit.unaccounted']);
  expect(receiver.received[0]?.body.data).toEqual({
    date: day,
    count: 1,
    keys: [`birthday:${userId}:${day.slice(0, 4)}`],
  });
});

describe('the process scheduler', () => {
  const scheduler = (settings: NodeJS.ProcessEnv) =>
    untilTestEnds(
      runProcess('src/planning/main.ts', {
        DATABASE_URL: database.url,
        TEMPORAL_ADDRESS: '127.0.0.1:1',
        OPERATIONS_WEBHOOK_URL: receiver.url,
        ...settings,
      }),
    );

  test('sends them according to its settings, without Temporal, signed with their own secrets', async () => {
    scheduler({
      WEBHOOK_SECRETS: newWebhookSecret(),
      OPERATIONS_WEBHOOK_SECRETS: SECRET,
      WEBHOOK_ALLOW_PRIVATE: 'true',
    });
    await pause();
    await expect.poll(receivedIds, WITHIN).toHaveLength(1);
    const [received] = receiver.received;
    const headers = received?.headers as Record<string, string>;
    expect(new Webhook(SECRET).verify(received?.rawBody ?? '', headers)).toMatchObject({
      type: 'destination.paused',
    });
  });

  test('signs them like deliveries if they have no secrets of their own', async () => {
    scheduler({ WEBHOOK_SECRETS: SECRET, WEBHOOK_ALLOW_PRIVATE: 'true' });
    await pause();
    await expect.poll(receivedIds, WITHIN).toHaveLength(1);
    const [received] = receiver.received;
    const headers = received?.headers as Record<string, string>;
    expect(() => new Webhook(SECRET).verify(received?.rawBody ?? '', headers)).not.toThrow();
  });

  test.for([
    [{ WEBHOOK_ALLOW_PRIVATE: 'true' }, /WEBHOOK_SECRETS: must be set/],
    [
      { WEBHOOK_SECRETS: SECRET },
      /OPERATIONS_WEBHOOK_URL: must have a host on the public internet/,
    ],
  ] as const)('does not start with %j', async ([settings, why]) => {
    const refused = scheduler(settings);
    expect(await refused.exited).toBe(78);
    expect(refused.lines.join('\n')).toMatch(why);
  });
});
