/**
 * Dispatchers and workflows over one ledger: which of them sends what, and what happens if one of
 * them dies.
 */
import type { ServerResponse } from 'node:http';

import pLimit from 'p-limit';
import { expect, onTestFinished, test } from 'vitest';

import { useDeliverFixture } from './deliver-fixture.ts';
import { WITHIN } from '../support/dispatcher-fixture.ts';
import { startDispatcherProcess } from '../support/dispatcher-process.ts';
import { startLink } from '../support/link.ts';

const fixture = useDeliverFixture();
const { base } = fixture;

const SECOND = 1_000;
const MINUTE = 60_000;
const HERD = 500;
const PATIENT = { timeout: 120_000, interval: 100 };

const sentIds = () => base.receiver.received.map(({ id }) => id).toSorted();

test('in a herd with living dispatchers, no workflow sends', async () => {
  // A busy machine may keep a dispatcher from stamping itself for longer than allowed.
  await runClockSlowly();
  base.receiver.answer((response) => void setTimeout(() => response.end(), 50));
  const settings = { WEBHOOK_CONCURRENCY: '8' };
  await startDispatcherProcess(base.database.url, base.receiver.url, settings);
  const worker = await fixture.work();
  const keys = await fixture.dueHerd(HERD, Date.now() - MINUTE);
  await expect.poll(() => base.receiver.received.length, WITHIN).toBeGreaterThan(20);
  // In the middle of it: much sooner than they would wake.
  const messages: string[] = [];
  await pLimit(10).map(keys, async (key) => {
    await worker.deliver(key).catch(({ message }: Error) => messages.push(message));
  });
  expect(messages.length).toBeGreaterThan(0);
  // By whether a dispatcher already holds the row.
  const theirs = /^(dispatchers are sending|it is being sent, until )/;
  expect(messages.filter((message) => !theirs.test(message))).toEqual([]);
  await expect.poll(() => base.countIn('COMPLETED'), PATIENT).toBe(HERD);
  expect(await fixture.sentBy()).toEqual({ dispatcher: HERD });
  expect(sentIds()).toEqual(keys.toSorted());
});

test('what a killed dispatcher was sending is sent by workflows when its leases have expired', async () => {
  base.receiver.answer((response) => void setTimeout(() => response.end(), 20));
  const settings = { WEBHOOK_TIMEOUT_MS: '1000', WEBHOOK_CONCURRENCY: '4' };
  const killed = await startDispatcherProcess(base.database.url, base.receiver.url, settings);
  const keys = await fixture.dueHerd(60, Date.now());
  await expect.poll(() => base.receiver.received.length, WITHIN).toBeGreaterThan(4);
  await killed.stop('SIGKILL');
  const sent = await fixture.sentBy();
  const worker = await fixture.work();

  await Promise.all(keys.map((key) => worker.settle(key)));
  expect(await base.countIn('COMPLETED')).toBe(60);
  expect(new Set(sentIds())).toEqual(new Set(keys));
  // Twice only what the receiver had, and the ledger did not, when the process died.
  expect(base.receiver.received.length).toBeLessThanOrEqual(60 + 2 * 4);
  expect(await fixture.sentBy()).toEqual({
    ...sent,
    workflow: 60 - (sent['dispatcher'] ?? 0),
  });
});

test('a dispatcher that is suspended beyond its leases sends none of them when it continues', async () => {
  base.receiver.answer((response) => void setTimeout(() => response.end(), 100));
  const settings = { WEBHOOK_TIMEOUT_MS: '1000', WEBHOOK_CONCURRENCY: '1' };
  const suspended = await startDispatcherProcess(base.database.url, base.receiver.url, settings);
  const keys = await fixture.dueHerd(30, Date.now());
  await expect.poll(() => base.receiver.received.length, WITHIN).toBeGreaterThan(1);
  suspended.child.kill('SIGSTOP');
  const received = base.receiver.received.length;
  const { dispatcher: recorded = 0 } = await fixture.sentBy();
  const worker = await fixture.work();
  await Promise.all(keys.map((key) => worker.settle(key)));
  suspended.child.kill('SIGCONT');
  await suspended.stop();
  expect(await base.countIn('COMPLETED')).toBe(30);
  // Twice only what the receiver had, or had on its way, and the ledger did not, when it stood still.
  expect(base.receiver.received.length).toBeLessThanOrEqual(30 + received - recorded + 1);
  expect(new Set(sentIds())).toEqual(new Set(keys));
});

test('a dispatcher that stops in order leaves what is due to the workflows at once', async () => {
  const dispatcher = await base.dispatch();
  const stamps = () => base.rows.sql('select 1 from events.dispatchers');
  await expect.poll(stamps, WITHIN).toHaveLength(1);
  await dispatcher.stop();
  expect(await stamps()).toEqual([]);
  const key = await fixture.due(Date.now() - SECOND);
  await (await fixture.work()).deliver(key);
  expect(await fixture.sentBy()).toEqual({ workflow: 1 });
});

test('a dispatcher that cannot write its outcomes does not count as alive', async () => {
  const open: ServerResponse[] = [];
  base.receiver.answer((response) => void open.push(response));
  await fixture.due(Date.now() - SECOND);
  const { link, url } = await linked();
  await base.dispatch({ databaseUrl: url });
  await expect.poll(() => open.length, WITHIN).toBe(1);
  link.shut();
  for (const response of open) response.end();
  const alive = () =>
    base.rows.sql(
      `select 1 from events.dispatchers where stamped_at > events.clock() - interval '5 s'`,
    );
  await expect.poll(alive, WITHIN).toEqual([]);
  link.open();
  await expect.poll(alive, WITHIN).toHaveLength(1);
  await expect.poll(() => base.countIn('COMPLETED'), WITHIN).toBe(1);
});

test('an outcome that a worker cannot write is kept and written first: nothing is sent twice', async () => {
  const open: ServerResponse[] = [];
  base.receiver.answer((response) => void open.push(response));
  const key = await fixture.due(Date.now() - SECOND);
  const { link, url } = await linked();
  const worker = await fixture.work({ databaseUrl: url, timeoutMs: 5_000 });
  const refusal = worker.refusal(key, { withinMs: 16_000 });
  await expect.poll(() => open.length, WITHIN).toBe(1);

  link.shut();
  for (const response of open) response.end();
  expect((await refusal).message).toBe('the ledger has not taken the outcome yet');
  // Its lease expires while the database is down.
  await base.rows.sql(
    'update events.occurrences set lease_until = due_at, next_attempt_at = due_at where key = ?',
    [key],
  );
  // Another worker, whose first call comes now, leaves the row to its holder for a while.
  const idle = await fixture.work();
  const other = idle.settle(key);
  link.open();
  const answers = await Promise.all([worker.settle(key), other]);
  expect(answers.map(({ settled }) => settled?.outcome)).toContain('delivered');
  expect(sentIds()).toEqual([key]);
});

/** From now on, ten seconds are one for the database. */
async function runClockSlowly(): Promise<void> {
  const from = Date.now() / 1_000;
  await base.rows.sql(`create or replace function events.clock() returns timestamptz
    language sql volatile as 'select to_timestamp(${from}::float8
      + (extract(epoch from clock_timestamp()) - ${from}::float8) / 10)'`);
}

/** A connection to the database that can be closed. */
async function linked() {
  const url = new URL(base.database.url);
  const link = await startLink('database', Number(url.port));
  onTestFinished(() => link.close());
  url.port = String(link.port);
  return { link, url: url.href };
}
