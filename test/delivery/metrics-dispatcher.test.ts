// @module-tag long
import type { ServerResponse } from 'node:http';

import { expect, test } from 'vitest';

import { HOUR, WITHIN, useDispatcherFixture } from '../support/dispatcher-fixture.ts';
import { valueOf } from '../support/metrics.ts';
import type { TestDispatcher } from '../support/test-dispatcher.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const fixture = useDispatcherFixture();

/** Values by name, without `daybell_`, as of one scrape. */
async function scrape({ metrics }: TestDispatcher) {
  const page = await metrics.metrics();
  return (name: string, labels: Record<string, string> = {}) =>
    valueOf(page, `daybell_${name}`, labels);
}

async function due(lateMs = 100): Promise<string> {
  return fixture.planned(await fixture.rows.addUser(), Date.now() - lateMs);
}

test('deliveries are counted, and how late they were', async () => {
  const dispatcher = await fixture.dispatch();
  const before = await scrape(dispatcher);
  expect(before('deliveries_total')).toBe(0);
  expect(before('delivery_attempts_total', { verdict: 'delivered' })).toBe(0);

  await due();
  await due();
  await due(HOUR);
  await expect.poll(async () => (await scrape(dispatcher))('deliveries_total'), WITHIN).toBe(3);
  const value = await scrape(dispatcher);
  expect(value('delivery_attempts_total', { verdict: 'delivered', status_class: '2xx' })).toBe(3);
  expect(value('delivery_attempt_duration_seconds_count', { verdict: 'delivered' })).toBe(3);
  expect(value('deliveries_late_total')).toBe(1);
  expect(value('delivery_lateness_seconds_count')).toBe(3);
  expect(value('delivery_lateness_seconds_bucket', { le: '0.05' })).toBe(0);
  expect(value('delivery_lateness_seconds_bucket', { le: '600' })).toBe(2);
  expect(value('delivery_lateness_seconds_bucket', { le: '21600' })).toBe(3);
});

test('a redelivery is a delivery, and its lateness does not count', async () => {
  const key = await due(HOUR);
  await fixture.rows.sql(
    'update events.occurrences set redeliveries = 1, redelivered_at = now() where key = ?',
    [key],
  );
  const dispatcher = await fixture.dispatch();
  await expect.poll(async () => (await scrape(dispatcher))('deliveries_total'), WITHIN).toBe(1);
  const value = await scrape(dispatcher);
  expect(value('deliveries_late_total')).toBe(0);
  expect(value('delivery_lateness_seconds_count')).toBe(0);
});

test('failed attempts are counted by verdict and class of status', async () => {
  const statuses = [503, 429];
  fixture.receiver.answer((response, request) => {
    const status = statuses.shift();
    if (status !== undefined) return withStatus(status)(response);
    return request.headers['daybell-attempt'] === '3'
      ? void response.destroy()
      : void response.end();
  });
  const dispatcher = await fixture.dispatch();
  const key = await due();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  const value = await scrape(dispatcher);
  for (const status_class of ['5xx', '4xx', 'none']) {
    expect(value('delivery_attempts_total', { verdict: 'retry', status_class })).toBe(1);
  }
  expect(value('delivery_attempt_duration_seconds_count', { verdict: 'retry' })).toBe(3);
  expect(value('receiver_throttled_total')).toBe(2);
});

test('dead letters are counted by reason', async () => {
  const statuses = [400, 410, 404];
  fixture.receiver.answer((response) => withStatus(statuses.shift() ?? 200)(response));
  const dispatcher = await fixture.dispatch({ concurrency: 1 });
  for (let count = 0; count < 3; count += 1) await due();
  await expect.poll(() => fixture.countIn('FAILED'), WITHIN).toBe(3);
  await expect
    .poll(async () => (await scrape(dispatcher))('deliveries_failed_total', { reason: 'refused' }))
    .toBe(2);
  const value = await scrape(dispatcher);
  expect(value('deliveries_failed_total', { reason: 'gone' })).toBe(1);
  expect(value('deliveries_failed_total', { reason: 'gave_up' })).toBe(0);
  expect(value('deliveries_total')).toBe(0);
});

test('the result of an attempt is not counted if another process has taken over its row', async () => {
  const open: ServerResponse[] = [];
  fixture.receiver.answer((response) => {
    if (open.push(response) > 1) response.end();
  });
  const dispatcher = await fixture.dispatch();
  const key = await due();
  await expect.poll(() => open.length, WITHIN).toBe(1);
  await fixture.rows.sql(
    'update events.occurrences set lease_token = lease_token + 1 where key = ?',
    [key],
  );
  open[0]?.writeHead(400).end();
  const refused = { verdict: 'give_up', status_class: '4xx' };
  const attempts = async () => (await scrape(dispatcher))('delivery_attempts_total', refused);
  await expect.poll(attempts, WITHIN).toBe(1);

  // Outcomes are written in order: this one comes after the other.
  await due();
  await expect.poll(async () => (await scrape(dispatcher))('deliveries_total'), WITHIN).toBe(1);
  expect((await scrape(dispatcher))('deliveries_failed_total', { reason: 'refused' })).toBe(0);
  expect(await fixture.stateOf(key)).toBe('PROCESSING');
});
