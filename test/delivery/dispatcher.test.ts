// @module-tag long
import { expect, test } from 'vitest';

import { HOUR, WITHIN, useDispatcherFixture } from '../support/dispatcher-fixture.ts';

const fixture = useDispatcherFixture();

test('sends at the instant, not before it, and tells for which user', async () => {
  await fixture.dispatch();
  const userId = await fixture.rows.addUser({ firstName: 'Žofie', lastName: '' });
  const dueAt = Date.now() + 700;
  const key = await fixture.planned(userId, dueAt);
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received).toHaveLength(1);
  const [greeting] = fixture.receiver.received;
  expect(greeting?.at).toBeGreaterThanOrEqual(dueAt);
  expect(greeting?.headers).toMatchObject({ 'webhook-id': key, 'daybell-attempt': '1' });
  expect(greeting?.body).toMatchObject({
    type: 'birthday.due',
    message: "Hey, Žofie it's your birthday",
    data: {
      occurrenceKey: key,
      late: false,
      user: { id: userId },
      occasion: { dueAt: new Date(dueAt).toISOString() },
    },
  });
  const { latenessMs } = await fixture.rows.find(key);
  expect(latenessMs).toBeGreaterThanOrEqual(0);
  expect(latenessMs).toBeLessThan(60_000);
  const sentBy = fixture.rows.sql('select sent_by as "sentBy" from events.attempts');
  expect(await sentBy).toEqual([{ sentBy: 'dispatcher' }]);
});

test("is never early by the database's clock", async () => {
  await fixture.rows.shiftClock(-1500);
  const dueAt = Date.now();
  const key = await fixture.planned(await fixture.rows.addUser(), dueAt);
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received[0]?.at).toBeGreaterThanOrEqual(dueAt + 1500);
});

test('is never early by its own clock', async () => {
  const dueAt = Date.now();
  const key = await fixture.planned(await fixture.rows.addUser(), dueAt);
  await fixture.dispatch({ clock: () => Date.now() - 1500 });
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received[0]?.at).toBeGreaterThanOrEqual(dueAt + 1500);
});

test('1,000 that are due at once are each sent once, by two concurrent dispatchers', async () => {
  await fixture.dispatch();
  await fixture.dispatch();
  const keys = await fixture.rows.addHerd(1000, Date.now() + 500);
  await expect.poll(() => fixture.countIn('COMPLETED'), WITHIN).toBe(1000);
  expect(fixture.receiver.received.map(({ id }) => id).toSorted()).toEqual(keys.toSorted());
  const senders = fixture.dispatchers.map(
    ({ logged }) => logged.filter(({ msg }) => msg === 'attempt').length,
  );
  expect(Math.min(...senders)).toBeGreaterThan(0);
});

test('rows that a dead dispatcher claimed and never sent are sent by another, once their lease has expired', async () => {
  const keys = await fixture.rows.addHerd(5, Date.now() - 1000);
  const terms = { now: Date.now(), leaseMs: 25_000, takesExpired: true };
  expect((await fixture.ledger.claim({ limit: 5, ...terms })).claimed).toHaveLength(5);
  await fixture.rows.shiftClock(24_000);
  await fixture.dispatch({ clock: () => Date.now() + 26_000 });
  const waitMs = await fixture.ledger.nextDueInMs(Date.now() + 26_000);
  expect(waitMs).toBeLessThanOrEqual(1000);
  await fixture.rows.shiftClock(26_000);
  await expect.poll(() => fixture.countIn('COMPLETED'), WITHIN).toBe(5);
  expect(fixture.receiver.received.map(({ id }) => id).toSorted()).toEqual(keys.toSorted());
  expect(fixture.receiver.received[0]?.headers['daybell-attempt']).toBe('1');
  expect((await fixture.rows.find(keys[0] ?? '')).attempts).toBe(1);
});

test('punctual rows go before late ones', async () => {
  const late: string[] = [];
  for (let index = 0; index < 3; index += 1) {
    late.push(await fixture.planned(await fixture.rows.addUser(), Date.now() - HOUR));
  }
  const onTime: string[] = [];
  for (let index = 0; index < 3; index += 1) {
    onTime.push(await fixture.planned(await fixture.rows.addUser(), Date.now() - 100));
  }
  await fixture.dispatch({ concurrency: 1 });
  await expect.poll(() => fixture.countIn('COMPLETED'), WITHIN).toBe(6);
  const order = fixture.receiver.received.map(({ id }) => id);
  expect(order.slice(0, 3).toSorted()).toEqual(onTime.toSorted());
  expect(fixture.receiver.received.map(({ body }) => body.data.late)).toEqual([
    false,
    false,
    false,
    true,
    true,
    true,
  ]);
});

test('the rate limit applies to all dispatchers together', async () => {
  await fixture.rows.addHerd(60, Date.now() - 1000);
  await fixture.dispatch({ rateLimit: 50 });
  await fixture.dispatch({ rateLimit: 50 });
  await expect.poll(() => fixture.countIn('COMPLETED'), WITHIN).toBe(60);
  const times = fixture.receiver.received.map(({ at }) => at).toSorted((a, b) => a - b);
  // 60 at 50 a second, less what the bucket contains.
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1000);
});

test('while paused, nothing is sent; after the resume, everything is', async () => {
  await fixture.rows.sql('update events.destinations set paused_at = now()');
  const key = await fixture.planned(await fixture.rows.addUser(), Date.now() + 300);
  await fixture.dispatch();
  await expect.poll(() => fixture.ledger.nextDueInMs(Date.now()), WITHIN).toBe(0);
  expect(await fixture.rows.find(key)).toMatchObject({ attempts: 0, leaseToken: 0 });
  expect(fixture.receiver.received).toEqual([]);
  await fixture.rows.sql('update events.destinations set paused_at = null');
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
});

test('a pause applies from the next send on, even to what was claimed before it', async () => {
  fixture.receiver.answer((response) => void setTimeout(() => response.end(), 200));
  await fixture.rows.addHerd(100, Date.now() - 1000);
  await fixture.dispatch({ concurrency: 1 });
  await expect.poll(() => fixture.receiver.received.length, WITHIN).toBeGreaterThan(1);
  await fixture.rows.sql('update events.destinations set paused_at = now()');
  const waiting = `select 1 from events.occurrences where lease_until is not null`;
  await expect.poll(() => fixture.rows.sql(waiting), WITHIN).toEqual([]);
  const sent = fixture.receiver.received.length;
  expect(sent).toBeLessThan(20);
  expect(await fixture.countIn('COMPLETED')).toBe(sent);
  expect(await fixture.claimable()).toBe(100 - sent);
});

test('punctual rows are claimed and sent while late ones wait', async () => {
  fixture.receiver.answer((response) => void setTimeout(() => response.end(), 150));
  await fixture.rows.addHerd(100, Date.now() - HOUR);
  await fixture.dispatch({ concurrency: 1 });
  await expect.poll(() => fixture.receiver.received.length, WITHIN).toBeGreaterThanOrEqual(2);
  const key = await fixture.planned(await fixture.rows.addUser(), Date.now() - 1);
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received.length).toBeLessThan(30);
});
