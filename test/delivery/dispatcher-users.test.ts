// @module-tag long
import type { ServerResponse } from 'node:http';

import { expect, test } from 'vitest';

import { HOUR, WITHIN, useDispatcherFixture } from '../support/dispatcher-fixture.ts';

const fixture = useDispatcherFixture();

test('S14: is sent with the name at that moment', async () => {
  const userId = await fixture.rows.addUser({ firstName: 'Old' });
  const key = await fixture.planned(userId, Date.now() + 400);
  await fixture.rows.sql(`update users.users set first_name = 'New' where id = ?`, [userId]);
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received[0]?.body.message).toBe("Hey, New Lovelace it's your birthday");
});

const NOW = 'inputs_changed_at = now()';
/** At 9:00 in Berlin, where the user was when it was planned. */
const NINE = Date.UTC(2026, 4, 20, 7);

/** Simulates that instant, for the database and for a dispatcher with the returned clock. */
async function atNine(): Promise<() => number> {
  const skewMs = NINE + 100 - Date.now();
  await fixture.rows.shiftClock(skewMs);
  return () => Date.now() + skewMs;
}

test.each([
  ['zone', `timezone = 'America/New_York'`],
  ['date of birth', `date_of_birth = '1990-05-21'`],
])('with another %s than planned it is not sent: the row waits for its plan', async (_, change) => {
  const clock = await atNine();
  const userId = await fixture.rows.addUser();
  const key = await fixture.planned(userId, NINE);
  await fixture.rows.sql(`update users.users set ${change}, ${NOW} where id = ?`, [userId]);
  await fixture.dispatch({ clock });
  await expect.poll(async () => (await fixture.rows.find(key)).nextAttemptAt, WITHIN).toBeNull();
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'PENDING', attempts: 0 });
  expect(fixture.receiver.received).toEqual([]);
});

test.each([
  ['a corrected year of birth', `date_of_birth = '1991-05-20'`],
  ['another name of the same zone', `timezone = 'Arctic/Longyearbyen'`],
])('%s on the same morning delays nothing', async (_, change) => {
  const clock = await atNine();
  const userId = await fixture.rows.addUser();
  const key = await fixture.planned(userId, NINE);
  await fixture.rows.sql(`update users.users set ${change}, ${NOW} where id = ?`, [userId]);
  await fixture.dispatch({ clock });
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received.map(({ id }) => id)).toEqual([key]);
});

test('nothing is sent for a deleted user', async () => {
  const userId = await fixture.rows.addUser();
  const key = await fixture.planned(userId, Date.now() - 100);
  await fixture.rows.sql('delete from users.users where id = ?', [userId]);
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('SKIPPED');
  expect(await fixture.rows.find(key)).toMatchObject({ reason: 'user_deleted' });
  expect(fixture.receiver.received).toEqual([]);
});

test('S10: if deleted while the webhook hangs, there is no second attempt', async () => {
  const open: ServerResponse[] = [];
  fixture.receiver.answer((response) => void open.push(response));
  const userId = await fixture.rows.addUser();
  const key = await fixture.planned(userId, Date.now() - 100);
  await fixture.dispatch();
  await expect.poll(() => open.length, WITHIN).toBe(1);
  await fixture.rows.sql('delete from users.users where id = ?', [userId]);
  open[0]?.writeHead(503).end();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('FAILED');
  expect(await fixture.rows.find(key)).toMatchObject({ reason: 'user_deleted', attempts: 1 });
  expect(fixture.receiver.received).toHaveLength(1);
});

test('a first attempt is not made when it is too late; a retry is', async () => {
  const untried = await fixture.planned(await fixture.rows.addUser(), Date.now() - 49 * HOUR);
  const tried = await fixture.planned(await fixture.rows.addUser(), Date.now() - 49 * HOUR);
  await fixture.rows.sql(
    `update events.occurrences set attempts = 4, first_attempt_at = due_at where key = ?`,
    [tried],
  );
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(untried), WITHIN).toBe('SKIPPED');
  expect(await fixture.rows.find(untried)).toMatchObject({ reason: 'too_late' });
  await expect.poll(() => fixture.stateOf(tried), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received.map(({ id }) => id)).toEqual([tried]);
});

test('a dispatcher that claimed it and died makes no first attempt: it is still too late', async () => {
  const key = await fixture.planned(await fixture.rows.addUser(), Date.now() - 100);
  const terms = { now: Date.now(), leaseMs: 25_000, takesExpired: true };
  expect((await fixture.ledger.claim({ limit: 1, ...terms })).claimed).toHaveLength(1);
  await fixture.rows.shiftClock(49 * HOUR);
  await fixture.dispatch({ clock: () => Date.now() + 49 * HOUR });
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('SKIPPED');
  expect(await fixture.rows.find(key)).toMatchObject({ reason: 'too_late', attempts: 0 });
  expect(fixture.receiver.received).toEqual([]);
});

test('attempted in May and moved to December, it has the full time for retries', async () => {
  // Paused by then, so that there is one attempt, however busy the machine is.
  fixture.receiver.answer(async (response) => {
    await fixture.rows.sql('update events.destinations set paused_at = now()');
    response.writeHead(503).end();
  });
  const key = await fixture.planned(await fixture.rows.addUser(), Date.now() - 100);
  await fixture.rows.sql(
    'update events.occurrences set attempts = 5, earlier_attempts = 5 where key = ?',
    [key],
  );
  await fixture.dispatch();
  await expect.poll(async () => (await fixture.rows.find(key)).attempts, WITHIN).toBe(6);
  const { state, nextAttemptAt, firstAttemptAt } = await fixture.rows.find(key);
  expect(state).toBe('PENDING');
  expect((nextAttemptAt ?? Infinity) - (firstAttemptAt ?? 0)).toBeLessThan(10_000);
});

test('once the next occurrence has fallen due, the previous one is no longer sent', async () => {
  const untried = await fixture.planned(await fixture.rows.addUser(), Date.now() - HOUR);
  const tried = await fixture.planned(await fixture.rows.addUser(), Date.now() - HOUR);
  await fixture.rows.sql("update events.occurrences set superseded_at = now() - interval '1 s'");
  await fixture.rows.sql(
    'update events.occurrences set attempts = 3, first_attempt_at = due_at where key = ?',
    [tried],
  );
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(untried), WITHIN).toBe('SKIPPED');
  await expect.poll(() => fixture.stateOf(tried), WITHIN).toBe('FAILED');
  for (const key of [untried, tried]) {
    expect(await fixture.rows.find(key)).toMatchObject({ reason: 'superseded' });
  }
  expect(fixture.receiver.received).toEqual([]);
});

test('the log contains neither names nor the address', async () => {
  const key = await fixture.planned(
    await fixture.rows.addUser({ firstName: 'Secretname' }),
    Date.now() - 100,
  );
  const secret = fixture.receiver.url.replace('http://', 'http://user:hunter2@');
  const { logged } = await fixture.dispatch({ webhookUrl: secret });
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  const log = JSON.stringify(logged);
  expect(log).not.toMatch(/Secretname|hunter2|127\.0\.0\.1/);
  const attempts = logged.filter(({ msg }) => msg === 'attempt');
  expect(attempts).toMatchObject([
    { occurrenceKey: key, attempt: 1, status: 200, outcome: 'delivered', msg: 'attempt' },
  ]);
  expect(attempts[0]).toHaveProperty('durationMs');
  expect(attempts[0]).toHaveProperty('latenessMs');
});
