/** The usage of the database: connections, claims, statements, and the server as a whole. */
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';

import { createMetrics, createPoolMetrics } from '../../src/platform/metrics.ts';
import { connectOrm } from '../../src/platform/database/orm.ts';
import { startDispatcherProcess } from '../support/dispatcher-process.ts';
import { createEventRows } from '../support/event-rows.ts';
import { valueOf } from '../support/metrics.ts';
import { useTestDatabase } from '../support/postgres.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

const WITHIN = { timeout: 60_000, interval: 50 };

const database = useTestDatabase();

test('connections in use are counted, with their duration and with those that wait for one', async () => {
  const metrics = createMetrics();
  const orm = await connectOrm(database.url, {
    poolSize: 2,
    watchPool: createPoolMetrics(metrics, 2),
  });
  onTestFinished(() => orm.close(true));
  const value = async (name: string) => valueOf(await metrics.metrics(), `daybell_${name}`);
  expect(await value('database_pool_size')).toBe(2);
  expect(await value('database_pool_in_use')).toBe(0);
  expect(await value('database_pool_busy_seconds_total')).toBe(0);

  const blocker = new pg.Client({ connectionString: database.url });
  await blocker.connect();
  await blocker.query('select pg_advisory_lock(1)');
  const statement = () => orm.em.fork().execute('select pg_advisory_xact_lock(1)');
  const statements = [statement(), statement(), statement()];
  await expect.poll(() => value('database_pool_in_use'), WITHIN).toBe(2);
  await expect.poll(() => value('database_pool_waiting'), WITHIN).toBe(1);
  await blocker.query('select pg_sleep(1)');
  await blocker.end();
  await Promise.all(statements);
  expect(await value('database_pool_in_use')).toBe(0);
  expect(await value('database_pool_waiting')).toBe(0);
  expect(await value('database_pool_busy_seconds_total')).toBeGreaterThanOrEqual(2);

  await expect(orm.em.fork().execute('select 1 / 0')).rejects.toThrow('division by zero');
  expect(await value('database_pool_in_use')).toBe(0);
});

test('a claim that waits for the database is slow, and occupies its connection', async () => {
  const receiver = await startWebhookReceiver();
  onTestFinished(() => receiver.close());
  const dispatcher = await startDispatcherProcess(database.url, receiver.url, {
    METRICS_PORT: '0',
    DATABASE_POOL: '4',
  });
  const { url } = JSON.parse(await dispatcher.line(/"msg":"metrics"/));
  const scrape = async () => (await fetch(url)).text();
  const claims = async (le: string) =>
    valueOf(await scrape(), 'daybell_database_query_duration_seconds_bucket', {
      query: 'claim',
      le,
    });
  const slow = async () => Number(await claims('+Inf')) - Number(await claims('0.2'));
  const busy = async () =>
    Number(valueOf(await scrape(), 'daybell_database_pool_busy_seconds_total'));
  await expect.poll(() => claims('0.2'), WITHIN).toBeGreaterThan(0);
  expect(valueOf(await scrape(), 'daybell_database_pool_size')).toBe(4);
  const before = { slow: await slow(), busy: await busy() };

  await database.orm.em.fork().transactional(async (em) => {
    // The first read of a claim, and the only one if nothing is due.
    await em.execute('lock table events.destinations in access exclusive mode');
    const blocked = `select 1 from pg_stat_activity
      where wait_event_type = 'Lock' and datname = current_database()`;
    await expect.poll(() => em.execute<object[]>(blocked), WITHIN).toHaveLength(1);
    await sleep(1_000);
  });
  await expect.poll(slow, WITHIN).toBeGreaterThan(before.slow);
  expect(await busy()).toBeGreaterThan(before.busy + 0.5);
});

test('open requests are counted, and how many may be open', async () => {
  const receiver = await startWebhookReceiver();
  onTestFinished(() => receiver.close());
  const open: (() => void)[] = [];
  receiver.answer((response) => void open.push(() => response.end()));
  const dispatcher = await startDispatcherProcess(database.url, receiver.url, {
    METRICS_PORT: '0',
    WEBHOOK_CONCURRENCY: '4',
  });
  const { url } = JSON.parse(await dispatcher.line(/"msg":"metrics"/));
  const value = async (name: string) => valueOf(await (await fetch(url)).text(), `daybell_${name}`);
  expect(await value('delivery_requests_limit')).toBe(4);
  expect(await value('delivery_requests_open')).toBe(0);

  await createEventRows(database.orm).addHerd(5, Date.now());
  await expect.poll(() => value('delivery_requests_open'), WITHIN).toBe(4);
  receiver.answer((response) => void response.end());
  for (const end of open) end();
  await expect.poll(() => value('delivery_requests_open'), WITHIN).toBe(0);
});
