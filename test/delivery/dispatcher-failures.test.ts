// @module-tag long
import type { ServerResponse } from 'node:http';

import { describe, expect, onTestFinished, test } from 'vitest';

import { HOUR, WITHIN, useDispatcherFixture } from '../support/dispatcher-fixture.ts';
import { startLink } from '../support/link.ts';
import { runSql, withDatabase } from '../support/postgres.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const fixture = useDispatcherFixture();

describe('an attempt that fails', () => {
  test('is repeated after 1, 2, 4 and 10 s with the same id, from the ledger alone', async () => {
    fixture.receiver.answer(withStatus(503));
    const key = await fixture.planned(await fixture.rows.addUser(), Date.now() - 100);
    const { logged } = await fixture.dispatch();
    await expect.poll(async () => (await fixture.rows.find(key)).attempts, WITHIN).toBe(4);
    const times = fixture.receiver.received.map(({ at }) => at);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    expect(gaps).toHaveLength(3);
    for (const [index, leastMs] of [1000, 2000, 4000].entries()) {
      expect(gaps[index]).toBeGreaterThanOrEqual(leastMs);
    }
    expect(new Set(fixture.receiver.received.map(({ id }) => id))).toEqual(new Set([key]));
    expect(fixture.receiver.received.map(({ headers }) => headers['daybell-attempt'])).toEqual([
      '1',
      '2',
      '3',
      '4',
    ]);
    const { nextAttemptAt, state } = await fixture.rows.find(key);
    expect(state).toBe('PENDING');
    expect((nextAttemptAt ?? 0) - (times.at(-1) ?? 0)).toBeGreaterThanOrEqual(10_000);
    const attempts = logged.filter(({ msg }) => msg === 'attempt');
    const expected = { occurrenceKey: key, status: 503, outcome: 'retry', level: 30 };
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    for (const attempt of attempts) expect(attempt).toMatchObject(expected);
  });

  test('waits as long as the receiver asks', async () => {
    fixture.receiver.answer(withStatus(429, { 'retry-after': '30' }));
    const key = await fixture.planned(await fixture.rows.addUser(), Date.now() - 100);
    await fixture.dispatch();
    await expect.poll(async () => (await fixture.rows.find(key)).attempts, WITHIN).toBe(1);
    expect(fixture.receiver.received).toHaveLength(1);
    const { nextAttemptAt } = await fixture.rows.find(key);
    expect((nextAttemptAt ?? 0) - (fixture.receiver.received[0]?.at ?? 0)).toBeGreaterThanOrEqual(
      30_000,
    );
  });

  test('S11: whose response was lost, is repeated with the same id', async () => {
    fixture.receiver.answer((response) =>
      fixture.receiver.received.length === 1 ? void response.destroy() : void response.end(),
    );
    const key = await fixture.planned(await fixture.rows.addUser(), Date.now() - 100);
    await fixture.dispatch();
    await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
    expect(fixture.receiver.received.map(({ id }) => id)).toEqual([key, key]);
    expect(
      await fixture.rows.sql(`select outcome, error_code from events.attempts order by number`),
    ).toEqual([
      { outcome: 'retry', error_code: 'ECONNRESET' },
      { outcome: 'delivered', error_code: null },
    ]);
  });

  test.each([
    [400, 'refused'],
    [302, 'refused'],
    [410, 'gone'],
  ])('with %i is given up at once, with the reason', async (status, reason) => {
    fixture.receiver.answer(withStatus(status));
    const key = await fixture.planned(await fixture.rows.addUser(), Date.now() - 100);
    await fixture.dispatch();
    await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('FAILED');
    expect(await fixture.rows.find(key)).toMatchObject({ reason, attempts: 1 });
  });

  test('is the last if the time to give up has come', async () => {
    fixture.receiver.answer(withStatus(500));
    const key = await fixture.planned(await fixture.rows.addUser(), Date.now() - 73 * HOUR);
    await fixture.rows.sql(
      `update events.occurrences set attempts = 40, first_attempt_at = due_at where key = ?`,
      [key],
    );
    await fixture.dispatch();
    await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('FAILED');
    expect(await fixture.rows.find(key)).toMatchObject({ reason: 'gave_up', attempts: 41 });
    expect(fixture.receiver.received).toHaveLength(1);
  });
});

describe('when it stops or loses the database', () => {
  test('requests in flight are completed, the rest is returned to the queue', async () => {
    const open: ServerResponse[] = [];
    fixture.receiver.answer((response) => void open.push(response));
    await fixture.rows.addHerd(6, Date.now() - 1000);
    const dispatcher = await fixture.dispatch({ concurrency: 2 });
    await expect.poll(() => open.length, WITHIN).toBe(2);
    const stopped = dispatcher.stop();
    for (const response of open) response.end();
    await stopped;
    expect(fixture.receiver.received).toHaveLength(2);
    expect(await fixture.countIn('COMPLETED')).toBe(2);
    expect(
      await fixture.rows.sql(`select attempts, lease_until from events.occurrences
        where state = 'PENDING'`),
    ).toEqual(Array.from({ length: 4 }, () => ({ attempts: 0, lease_until: null })));
    expect(await fixture.ledger.nextDueInMs(Date.now())).toBe(0);
  });

  test('outcomes are kept until the database is back, and nothing is sent twice', async () => {
    const open: ServerResponse[] = [];
    fixture.receiver.answer((response) => void open.push(response));
    const keys = await fixture.rows.addHerd(4, Date.now() - 1000);
    const { logged } = await fixture.dispatch();
    await expect.poll(() => open.length, WITHIN).toBe(4);

    const name = new URL(fixture.database.url).pathname.slice(1);
    const admin = withDatabase(fixture.database.url, 'postgres');
    await runSql(admin, `alter database ${name} allow_connections false`);
    await runSql(
      admin,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
    );
    for (const response of open) response.end();
    const said = (text: string) => logged.filter(({ msg }) => String(msg).includes(text));
    await expect.poll(() => said('does not answer').length, WITHIN).toBe(1);
    await runSql(admin, `alter database ${name} allow_connections true`);

    await expect.poll(() => fixture.countIn('COMPLETED').catch(() => 0), WITHIN).toBe(4);
    await expect.poll(() => said('answers again').length, WITHIN).toBe(1);
    expect(said('does not answer')).toHaveLength(1);
    expect(fixture.receiver.received.map(({ id }) => id).toSorted()).toEqual(keys.toSorted());
  });

  test('when it returns, no process takes an expired lease before its holder has written the outcome', async () => {
    const open: ServerResponse[] = [];
    fixture.receiver.answer((response) => void open.push(response));
    const [key = ''] = await fixture.rows.addHerd(1, Date.now() - 1000);
    const sender = await linked();
    await expect.poll(() => open.length, WITHIN).toBe(1);
    const other = await linked();
    for (const { link } of [sender, other]) link.shut();
    for (const { said } of [sender, other]) {
      await expect.poll(() => said('does not answer'), WITHIN).toBe(true);
    }

    // The request ends, and its lease expires, while the database is down.
    for (const response of open) response.end();
    await fixture.rows.sql(
      `update events.occurrences set lease_until = due_at, next_attempt_at = due_at where key = ?`,
      [key],
    );
    other.link.open();
    await expect.poll(() => other.said('answers again'), WITHIN).toBe(true);
    sender.link.open();

    await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
    expect(fixture.receiver.received.map(({ id }) => id)).toEqual([key]);
  });

  test('a locked row does not block the outcomes of others', async () => {
    fixture.receiver.answer((response) => void setTimeout(() => response.end(), 200));
    const [locked = '', other = ''] = await fixture.rows.addHerd(2, Date.now() - 1000);
    await fixture.dispatch();
    await fixture.database.orm.em.fork().transactional(async (em) => {
      await expect.poll(() => fixture.receiver.received.length, WITHIN).toBe(2);
      await em.execute('select 1 from events.occurrences where key = ? for update', [locked]);
      await expect.poll(() => fixture.stateOf(other), WITHIN).toBe('COMPLETED');
    });
    await expect.poll(() => fixture.stateOf(locked), WITHIN).toBe('COMPLETED');
  });

  test('rows that wait or are in flight are not sent twice, even if the clocks jump past their lease', async () => {
    const skew = { ms: 0 };
    const open: ServerResponse[] = [];
    fixture.receiver.answer((response) => void open.push(response));
    const keys = await fixture.rows.addHerd(3, Date.now() - 1000);
    await fixture.dispatch({ concurrency: 2, clock: () => Date.now() + skew.ms });
    await expect.poll(() => open.length, WITHIN).toBe(2);
    skew.ms = HOUR;
    await fixture.rows.shiftClock(HOUR);
    const claimedAgain = 'select 1 from events.occurrences where lease_token = 2';
    await expect.poll(() => fixture.rows.sql(claimedAgain), WITHIN).toHaveLength(3);
    fixture.receiver.answer((response) => void response.end());
    for (const response of open) response.end();
    await expect.poll(() => fixture.countIn('COMPLETED'), WITHIN).toBe(3);
    expect(fixture.receiver.received.map(({ id }) => id).toSorted()).toEqual(keys.toSorted());
  });

  test('an outcome counts even if the dispatcher has claimed its own row again meanwhile', async () => {
    const open: ServerResponse[] = [];
    fixture.receiver.answer((response) => void open.push(response));
    const [key = ''] = await fixture.rows.addHerd(1, Date.now() - 1000);
    const skew = { ms: 0 };
    await fixture.dispatch({ clock: () => Date.now() + skew.ms });
    await expect.poll(() => open.length, WITHIN).toBe(1);
    skew.ms = HOUR;
    await fixture.rows.shiftClock(HOUR);
    await expect.poll(() => fixture.rows.find(key), WITHIN).toMatchObject({ leaseToken: 2 });
    // Nothing is claimed from now on: the row must not stay PROCESSING until the end of the pause.
    await fixture.control.pause(null);
    for (const response of open) response.writeHead(400).end();
    await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('FAILED');
    expect(await fixture.rows.find(key)).toMatchObject({ reason: 'refused', attempts: 1 });
  });
});

/** A dispatcher whose connection to the database can be closed. */
async function linked() {
  const url = new URL(fixture.database.url);
  const link = await startLink('database', Number(url.port));
  onTestFinished(() => link.close());
  url.port = String(link.port);
  const { logged } = await fixture.dispatch({ databaseUrl: url.href });
  return {
    link,
    said: (text: string) => logged.some(({ msg }) => String(msg).includes(text)),
  };
}
