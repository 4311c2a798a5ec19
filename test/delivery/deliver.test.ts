// @module-tag long
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { createRedelivery } from '../../src/ledger/redelivery.ts';
import { useDeliverFixture } from './deliver-fixture.ts';
import { HOUR, WITHIN } from '../support/dispatcher-fixture.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const fixture = useDeliverFixture();
const { base } = fixture;

const SECOND = 1_000;
/** If it fell due this long ago, its workflow has just woken. */
const WOKEN_MS = 12 * SECOND;
const NEXT_YEAR = Date.UTC(2027, 4, 20, 7);

describe('called', () => {
  test('before the due instant, it sends nothing and returns when to call again', async () => {
    const dueAt = Date.now() + HOUR;
    const key = await fixture.due(dueAt);
    const worker = await fixture.work();
    expect(await worker.deliver(key)).toEqual({
      ended: false,
      wakeAt: dueAt + 10 * SECOND,
      next: { occurrenceKey: key, dueAt },
      blockedReason: null,
      settled: null,
    });
    expect(base.receiver.received).toEqual([]);
    const { wakeAt, notifiedWakeAt, lookedAt, version } = await fixture.occasion(key);
    expect(notifiedWakeAt).toBe(wakeAt);
    expect(lookedAt).not.toBeNull();
    expect(version).toBe(2);
  });

  test('after a dispatcher has delivered, it plans what comes next and returns the outcome', async () => {
    const dueAt = Date.now() - WOKEN_MS;
    const key = await fixture.due(dueAt);
    await base.dispatch();
    await expect.poll(() => base.stateOf(key), WITHIN).toBe('COMPLETED');
    const worker = await fixture.work();
    const answer = await worker.deliver(key);
    expect(answer.settled).toEqual({
      occurrenceKey: key,
      outcome: 'delivered',
      reason: null,
      dueAt,
      attempts: 1,
      sentBy: 'dispatcher',
    });
    expect(answer.next).toMatchObject({ dueAt: NEXT_YEAR });
    expect(answer.wakeAt).toBeGreaterThanOrEqual(NEXT_YEAR + 10 * SECOND);
    expect((await fixture.occasion(key)).notifiedWakeAt).toBe(answer.wakeAt);
    expect((await worker.deliver(key)).settled).toBeNull();
    expect(worker.results).toEqual(['answered', 'answered']);
  });

  test('for an occasion that does not exist, it returns that nothing is to come', async () => {
    const worker = await fixture.work();
    const unknown = `birthday:${crypto.randomUUID()}:2026`;
    expect(await worker.deliver(unknown)).toMatchObject({ ended: true, wakeAt: null });
  });

  test('for a user who is deleted, it settles the row and ends', async () => {
    const key = await fixture.due(Date.now() - WOKEN_MS);
    await base.rows.sql('delete from users.users where id = ?', [key.split(':')[1]]);
    const worker = await fixture.work();
    const answer = await worker.deliver(key);
    expect(answer).toMatchObject({ ended: true, wakeAt: null, next: null });
    expect(answer.settled).toMatchObject({ outcome: 'skipped', reason: 'user_deleted' });
    const { endedAt, endNotifiedAt, notifiedWakeAt } = await fixture.occasion(key);
    expect(endNotifiedAt).toBeGreaterThanOrEqual(endedAt ?? Infinity);
    expect(notifiedWakeAt).toBeNull();
    expect(base.receiver.received).toEqual([]);
  });

  test('while the plan has no instant, it returns why, and when to call again', async () => {
    const userId = await base.rows.addUser({ timezone: 'Mars/Phobos' });
    const worker = await fixture.work();
    const answer = await worker.deliver(`birthday:${userId}:2026`);
    expect(answer).toMatchObject({ ended: false, next: null, settled: null });
    expect(answer.blockedReason).toContain('Mars/Phobos');
    expect(answer.wakeAt).toBeGreaterThan(Date.now() + 23 * HOUR);
  });
});

describe('with no dispatcher alive', () => {
  test('it sends what is due, plans what comes next, and returns', async () => {
    const key = await fixture.due(Date.now() - WOKEN_MS);
    await fixture.stampDispatcher(6 * SECOND);
    const worker = await fixture.work();
    const answer = await worker.deliver(key);
    expect(answer.settled).toMatchObject({ outcome: 'delivered', attempts: 1, sentBy: 'workflow' });
    expect(answer.next).toMatchObject({ dueAt: NEXT_YEAR });
    expect(base.receiver.received.map(({ id }) => id)).toEqual([key]);
    expect(base.receiver.received[0]?.headers['daybell-attempt']).toBe('1');
    expect(await base.rows.find(key)).toMatchObject({ state: 'COMPLETED', followed: true });
  });

  test('each failed attempt is a call that says so, and when the next will be made', async () => {
    base.receiver.answer(withStatus(500));
    const key = await fixture.due(Date.now() - WOKEN_MS);
    const worker = await fixture.work();
    const refusal = await worker.refusal(key);
    expect(refusal.message).toMatch(/^500, next attempt at (\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\dZ$/);
    expect(refusal.retryInMs).toBeLessThanOrEqual(1_500);
    expect((await fixture.occasion(key)).lookedAt).not.toBeNull();

    base.receiver.answer((response) => void response.end());
    await sleep(refusal.retryInMs);
    const answer = await worker.deliver(key);
    expect(answer.settled).toMatchObject({ outcome: 'delivered', attempts: 2 });
    expect(base.receiver.received.map(({ headers }) => headers['daybell-attempt'])).toEqual([
      '1',
      '2',
    ]);
  });

  test('a receiver that asks for a pause gets it from both paths', async () => {
    base.receiver.answer(withStatus(503, { 'retry-after': '600' }));
    const key = await fixture.due(Date.now() - WOKEN_MS);
    const other = await fixture.due(Date.now() - WOKEN_MS);
    const worker = await fixture.work();
    expect((await worker.refusal(key)).retryInMs).toBeGreaterThanOrEqual(590 * SECOND);
    const held = 'select 1 from events.destinations where slowed_until > events.clock()';
    await expect.poll(() => base.rows.sql(held), WITHIN).toHaveLength(1);
    const refusal = await worker.refusal(other);
    expect(refusal.message).toMatch(/^the receiver asks for a pause, next attempt at /);
    expect(refusal.retryInMs).toBeGreaterThanOrEqual(580 * SECOND);
    expect(base.receiver.received).toHaveLength(1);
  });

  test('a permanent refusal is settled in the same call', async () => {
    base.receiver.answer(withStatus(410));
    const key = await fixture.due(Date.now() - WOKEN_MS);
    const answer = await (await fixture.work()).deliver(key);
    expect(answer.settled).toMatchObject({ outcome: 'failed', reason: 'gone', sentBy: 'workflow' });
    expect(answer.next).toMatchObject({ dueAt: NEXT_YEAR });
  });

  test('a redelivery is sent, beside what comes next', async () => {
    const key = await fixture.due(Date.now() - WOKEN_MS);
    const worker = await fixture.work();
    base.receiver.answer(withStatus(404));
    await worker.deliver(key);
    base.receiver.answer((response) => void response.end());
    await createRedelivery(base.database.orm).redeliver(key, { force: false });
    const answer = await worker.deliver(key);
    expect(answer.settled).toMatchObject({ occurrenceKey: key, outcome: 'delivered', attempts: 2 });
    expect(answer.next).toMatchObject({ dueAt: NEXT_YEAR });
  });

  test('a row whose plan no longer holds is planned, not sent', async () => {
    const userId = await base.rows.addUser();
    const key = await fixture.due(Date.now() - WOKEN_MS, userId);
    await fixture.moveTo(userId, 'Asia/Tokyo');
    const answer = await (await fixture.work()).deliver(key);
    expect(base.receiver.received).toEqual([]);
    expect(answer.next).toMatchObject({ dueAt: Date.UTC(2027, 4, 20) });
  });

  test('of two simultaneous calls for one occasion, one sends', async () => {
    base.receiver.answer((response) => void setTimeout(() => response.end(), 300));
    const key = await fixture.due(Date.now() - WOKEN_MS);
    const workers = [await fixture.work(), await fixture.work()];
    const calls = [...workers, ...workers].map((worker) => worker.deliver(key));
    // All may be refused: an answer is for the latest call, which need not be the one that sends.
    await Promise.allSettled(calls);
    const answer = await workers[0]?.deliver(key);
    expect(answer?.wakeAt).toBeGreaterThanOrEqual(NEXT_YEAR);
    expect(base.receiver.received.map(({ id }) => id)).toEqual([key]);
  });

  test('200 simultaneous calls each send their own', async () => {
    const keys = await fixture.dueHerd(200, Date.now() - WOKEN_MS);
    const worker = await fixture.work();
    const answers = await Promise.all(keys.map((key) => worker.deliver(key)));
    expect(answers.map(({ settled }) => settled?.occurrenceKey)).toEqual(keys);
    expect(base.receiver.received.map(({ id }) => id).toSorted()).toEqual(keys.toSorted());
    expect(await fixture.sentBy()).toEqual({ workflow: 200 });
  });
});

describe('it leaves alone', () => {
  test('what dispatchers are sending', async () => {
    const key = await fixture.due(Date.now() - WOKEN_MS);
    await fixture.stampDispatcher(SECOND, SECOND);
    const refusal = await (await fixture.work()).refusal(key);
    expect(refusal.message).toBe('dispatchers are sending');
    expect(refusal.retryInMs).toBe(15 * SECOND);
    expect(base.receiver.received).toEqual([]);
  });

  test('but not what living dispatchers pass over', async () => {
    const key = await fixture.due(Date.now() - 90 * SECOND);
    await fixture.stampDispatcher(SECOND, SECOND);
    expect((await (await fixture.work()).deliver(key)).settled).toMatchObject({
      sentBy: 'workflow',
    });
  });

  test('a backlog of a day, which it checks every quarter of an hour', async () => {
    const key = await fixture.due(Date.now() - 24 * HOUR);
    await fixture.stampDispatcher();
    expect((await (await fixture.work()).refusal(key)).retryInMs).toBe(HOUR / 4);
  });

  test('what is paused', async () => {
    const key = await fixture.due(Date.now() - WOKEN_MS);
    await base.control.pause(null);
    const refusal = await (await fixture.work()).refusal(key);
    expect(refusal).toMatchObject({ message: 'delivery is paused', retryInMs: HOUR });
    expect(base.receiver.received).toEqual([]);
  });

  test('what the rate limit does not allow', async () => {
    await base.ledger.setRateLimit(0.001);
    const key = await fixture.due(Date.now() - WOKEN_MS);
    const refusal = await (await fixture.work()).refusal(key);
    expect(refusal).toMatchObject({ message: 'it waits for the rate limit' });
    expect(base.receiver.received).toEqual([]);
  });

  test('what is leased, until the lease has expired', async () => {
    const dueAt = Date.now() - WOKEN_MS;
    const key = await fixture.due(dueAt);
    const terms = { now: Date.now(), leaseMs: 25_000, takesExpired: true };
    await base.ledger.claim({ limit: 1, ...terms });
    const worker = await fixture.work();
    const refusal = await worker.refusal(key);
    expect(refusal.message).toMatch(/^it is being sent, until .*Z at the latest$/);
    expect(refusal.retryInMs).toBeGreaterThan(20 * SECOND);

    await base.rows.sql(
      'update events.occurrences set lease_until = due_at, next_attempt_at = due_at where key = ?',
      [key],
    );
    const answer = await worker.deliver(key);
    expect(answer.settled).toMatchObject({ outcome: 'delivered', attempts: 1 });
  });
});

describe('a call that is no longer awaited', () => {
  test('writes nothing once a later one has answered', async () => {
    const key = await fixture.due(Date.now() + HOUR);
    const worker = await fixture.work();
    const now = Date.now();
    const { wakeAt } = await worker.deliver(key, { calledAt: now });
    // Planned earlier since: the sleeping workflow does not know that yet.
    await base.rows.sql(`update events.occasions set wake_at = wake_at - interval '30 minutes'`);
    const refusal = await worker.refusal(key, { calledAt: now - 1 });
    expect(refusal.message).toBe('a later call has taken the place of this one');
    expect((await fixture.occasion(key)).notifiedWakeAt).toBe(wakeAt);
    await worker.deliver(key, { calledAt: now });
    expect((await fixture.occasion(key)).notifiedWakeAt).toBe((wakeAt ?? 0) - HOUR / 2);
  });

  test('writes no answer once its time is over', async () => {
    const key = await fixture.due(Date.now() + HOUR);
    const worker = await fixture.work();
    await worker.refusal(key, { withinMs: 0 });
    expect((await fixture.occasion(key)).notifiedWakeAt).toBeNull();
  });

  test('does not begin an attempt that it has no time for', async () => {
    const key = await fixture.due(Date.now() - WOKEN_MS);
    const worker = await fixture.work({ timeoutMs: 15_000 });
    const refusal = await worker.refusal(key, { withinMs: 20_000 });
    expect(refusal.message).toContain('no time left');
    expect(base.receiver.received).toEqual([]);
  });
});
