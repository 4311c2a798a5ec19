// @module-tag long
import { expect, test } from 'vitest';

import { HOUR, useDispatcherFixture, WITHIN } from '../support/dispatcher-fixture.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const fixture = useDispatcherFixture();

const PATIENT = { timeout: 150_000, interval: 50 };
/** Time by the fast clock: longer than any wait, so that no lease is too short. */
const FAST_TIMEOUT_MS = 600_000;

/**
 * From now on, time passes four times as fast for the database; returns the same clock for
 * dispatchers.
 */
async function runFast(): Promise<() => number> {
  const from = Date.now();
  await fixture.rows.sql(`create or replace function events.clock() returns timestamptz
    language sql volatile as 'select to_timestamp(${from / 1000}::float8
      + 4 * (extract(epoch from clock_timestamp()) - ${from / 1000}::float8))'`);
  return () => from + 4 * (Date.now() - from);
}

/** The stamp of the only dispatcher, written each second in which it has polled for work. */
const stamps = () =>
  fixture.rows.sql<{ at: Date }>('select stamped_at as at from events.dispatchers');

async function hasLooked(): Promise<void> {
  await expect.poll(stamps, WITHIN).toHaveLength(1);
  const [first] = await stamps();
  await expect.poll(stamps, WITHIN).not.toEqual([first]);
}

/** Null also once it is over, which no process need write. */
async function slowedRate(): Promise<number | null> {
  const [row] = await fixture.rows.sql<{ rate: number | null }>(
    `select case when slowed_ends_at > events.clock() then slowed_per_second end as rate
     from events.destinations`,
  );
  return row?.rate ?? null;
}

const sentIds = () => fixture.receiver.received.map(({ id }) => id);

test('1,000 due while the receiver answers 503 for 30 s: all are delivered within 2 minutes of its recovery', async () => {
  const clock = await runFast();
  const isDownUntil = clock() + 30_000;
  let refused = 0;
  fixture.receiver.answer((response) => {
    if (clock() < isDownUntil) refused += 1;
    withStatus(clock() < isDownUntil ? 503 : 200)(response);
  });
  const keys = await fixture.rows.addHerd(1000, clock());
  await fixture.dispatch({ clock, timeoutMs: FAST_TIMEOUT_MS });
  await fixture.dispatch({ clock, timeoutMs: FAST_TIMEOUT_MS });

  await expect.poll(() => fixture.countIn('COMPLETED'), PATIENT).toBe(1000);
  const [delivered] = await fixture.rows.sql<{ last: number; attempts: number }>(
    `select (extract(epoch from max(delivered_at)) * 1000)::float8 as last,
       max(attempts) as attempts from events.occurrences`,
  );
  expect(delivered?.last).toBeLessThan(isDownUntil + 120_000);
  // None was attempted so often that it had to wait long, and most were never refused.
  expect(delivered?.attempts).toBeLessThanOrEqual(4);
  expect(refused).toBeLessThan(500);
  expect(sentIds()).toHaveLength(1000 + refused);
  expect(new Set(sentIds())).toEqual(new Set(keys));
  await expect.poll(slowedRate, PATIENT).toBeNull();
});

test('one refusal in a hundred slows nothing', async () => {
  fixture.receiver.answer((response) =>
    withStatus(fixture.receiver.received.length % 100 === 50 ? 503 : 200)(response),
  );
  await fixture.rows.addHerd(1000, Date.now() - 1000);
  const { logged } = await fixture.dispatch();
  await expect.poll(() => fixture.countIn('COMPLETED'), PATIENT).toBe(1000);
  expect(logged.filter(({ msg }) => msg === 'destination slowed')).toEqual([]);
});

test('a receiver that can take 100 a second gets about that, and everything is delivered', async () => {
  const served: number[] = [];
  let refused = 0;
  fixture.receiver.answer((response) => {
    const now = Date.now();
    const isFull = served.length >= 20 && (served.at(-20) ?? 0) > now - 200;
    if (isFull) refused += 1;
    else served.push(now);
    withStatus(isFull ? 503 : 200)(response);
  });
  await fixture.rows.addHerd(400, Date.now() - 1000);
  await fixture.dispatch();
  await fixture.dispatch();
  await expect.poll(() => fixture.countIn('COMPLETED'), PATIENT).toBe(400);
  expect(refused).toBeGreaterThan(0);
  // At full speed, with retries after 1, 2 and 4 s, it refuses more than it serves.
  expect(refused).toBeLessThan(200);
});

test('claimed rows that wait are returned to the queue, unsent and uncounted', async () => {
  const later = withStatus(503, { 'retry-after': '600' });
  fixture.receiver.answer((response) => void setTimeout(() => later(response), 100));
  await fixture.rows.addHerd(100, Date.now() - 1000);
  await fixture.dispatch({ concurrency: 1 });
  await expect.poll(() => fixture.receiver.received.length, WITHIN).toBeGreaterThan(0);
  await expect.poll(() => fixture.claimable(), WITHIN).toBe(99);
  expect(fixture.receiver.received).toHaveLength(1);
});

test('another dispatcher, even one that starts later, sends nothing before the time that the receiver named', async () => {
  fixture.receiver.answer(withStatus(429, { 'retry-after': '600' }));
  await fixture.rows.addHerd(1, Date.now() - 1000);
  const first = await fixture.dispatch();
  await expect.poll(slowedRate, WITHIN).toBe(1);
  await first.stop();

  fixture.receiver.answer(withStatus(200));
  await fixture.rows.addHerd(10, Date.now() - 500);
  let ahead = 0;
  await fixture.dispatch({ clock: () => Date.now() + ahead });
  await hasLooked();
  expect(fixture.receiver.received).toHaveLength(1);
  ahead = 601_000;
  await fixture.rows.shiftClock(ahead);
  await expect.poll(() => fixture.countIn('COMPLETED'), WITHIN).toBeGreaterThanOrEqual(10);
});

test('if paused in the middle of a herd and resumed, everything is delivered once', async () => {
  fixture.receiver.answer((response) => void setTimeout(() => response.end(), 20));
  const keys = await fixture.rows.addHerd(1000, Date.now() - 1000);
  await fixture.dispatch();
  await fixture.dispatch();
  await expect.poll(() => fixture.receiver.received.length, WITHIN).toBeGreaterThan(100);
  await fixture.control.pause('in the middle');
  await expect.poll(async () => (await fixture.control.countWaiting()).all.sending, WITHIN).toBe(0);
  const { due } = (await fixture.control.countWaiting()).all;
  const sent = fixture.receiver.received.length;
  expect(due).toBe(1000 - sent);
  expect(due).toBeGreaterThan(0);
  await fixture.control.resume();
  await expect.poll(() => fixture.countIn('COMPLETED'), PATIENT).toBe(1000);
  expect(sentIds().toSorted()).toEqual(keys.toSorted());
});

test('a pause outlives the dispatchers, and ends in one that started later', async () => {
  await fixture.control.pause(null);
  const key = await fixture.planned(await fixture.rows.addUser(), Date.now() - 100);
  for (let started = 0; started < 2; started += 1) {
    const dispatcher = await fixture.dispatch();
    await hasLooked();
    if (started === 0) await dispatcher.stop();
  }
  expect(fixture.receiver.received).toEqual([]);
  await fixture.control.resume();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received[0]?.headers['daybell-attempt']).toBe('1');
});

test('paused time counts: a first attempt that is too late is SKIPPED, a later one is made', async () => {
  const now = Date.now();
  await fixture.control.pause(null);
  const untried = await fixture.planned(await fixture.rows.addUser(), now - 47 * HOUR);
  const tried = await fixture.planned(await fixture.rows.addUser(), now - 47 * HOUR);
  await fixture.rows.sql(
    'update events.occurrences set attempts = 1, first_attempt_at = due_at where key = ?',
    [tried],
  );
  await fixture.rows.shiftClock(30 * HOUR);
  await fixture.dispatch({ clock: () => Date.now() + 30 * HOUR });
  await fixture.control.resume();
  await expect.poll(() => fixture.stateOf(untried), WITHIN).toBe('SKIPPED');
  await expect.poll(() => fixture.stateOf(tried), WITHIN).toBe('COMPLETED');
  expect(await fixture.rows.find(untried)).toMatchObject({ reason: 'too_late', attempts: 0 });
  expect(sentIds()).toEqual([tried]);
});
