/** The process `dispatcher` at the instant, without any Temporal server. */
import { beforeEach, expect, onTestFinished, test } from 'vitest';

import { startDispatcherProcess } from '../support/dispatcher-process.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { freePort } from '../support/free-port.ts';
import { valueOf } from '../support/metrics.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const WITHIN = { timeout: 60_000, interval: 50 };

let database: TestDatabase;
let rows: EventRows;
let receiver: WebhookReceiver;

beforeEach(async () => {
  [database, receiver] = await Promise.all([createTestDatabase(), startWebhookReceiver()]);
  onTestFinished(database.drop);
  onTestFinished(() => receiver.close());
  rows = createEventRows(database.orm);
});

test('a planned occurrence is delivered at its instant', async () => {
  const metricsPort = await freePort();
  const settings = { METRICS_PORT: String(metricsPort) };
  await startDispatcherProcess(database.url, receiver.url, settings);
  const dueAt = Date.now() + 1_000;
  const key = await rows.addOccurrence(await rows.addUser(), { dueAt });
  const stays = await rows.addOccurrence(await rows.addUser(), { dueAt: dueAt + 3_600_000 });
  await expect.poll(async () => (await rows.find(key)).state, WITHIN).toBe('COMPLETED');
  const [greeting, ...others] = receiver.received;
  expect(greeting).toMatchObject({ id: key });
  expect(greeting?.at).toBeGreaterThanOrEqual(dueAt);
  expect(others).toEqual([]);
  expect(await rows.find(stays)).toMatchObject({ state: 'PENDING' });
  const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(valueOf(page, 'daybell_deliveries_total')).toBe(1);
});
