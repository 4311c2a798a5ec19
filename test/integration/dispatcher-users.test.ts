import type { ServerResponse } from 'node:http';

import { expect, test } from 'vitest';

import { HOUR, WITHIN, useDispatcherFixture } from '../support/dispatcher-fixture.ts';

const fixture = useDispatcherFixture();

test('S14: is greeted by the name of that moment', async () => {
  const userId = await fixture.rows.addUser({ firstName: 'Old' });
  const key = await fixture.armed(userId, Date.now() + 400);
  await fixture.rows.sql(`update users.users set first_name = 'New' where id = ?`, [userId]);
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received[0]?.body.message).toBe("Hey, New Lovelace it's your birthday");
});

test.each([
  ['zone', `timezone = 'America/New_York'`],
  ['date of birth', `date_of_birth = '1990-05-21'`],
])('with another %s than planned is not greeted: the plan is made again', async (_, change) => {
  const userId = await fixture.rows.addUser();
  const key = await fixture.armed(userId, Date.now() - 100);
  await fixture.rows.sql(`update users.users set ${change} where id = ?`, [userId]);
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('PENDING');
  expect(await fixture.rows.find(key)).toMatchObject({ attempts: 0, report: 'released' });
  expect(fixture.receiver.received).toEqual([]);
});

test('who is deleted is not greeted', async () => {
  const userId = await fixture.rows.addUser();
  const key = await fixture.armed(userId, Date.now() - 100);
  await fixture.rows.sql('delete from users.users where id = ?', [userId]);
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('SKIPPED');
  expect(await fixture.rows.find(key)).toMatchObject({ reason: 'user_deleted', report: 'skipped' });
  expect(fixture.receiver.received).toEqual([]);
});

test('S10: who is deleted while the webhook hangs is not greeted again', async () => {
  const open: ServerResponse[] = [];
  fixture.receiver.answer((response) => void open.push(response));
  const userId = await fixture.rows.addUser();
  const key = await fixture.armed(userId, Date.now() - 100);
  await fixture.dispatch();
  await expect.poll(() => open.length, WITHIN).toBe(1);
  await fixture.rows.sql('delete from users.users where id = ?', [userId]);
  open[0]?.writeHead(503).end();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('SKIPPED');
  expect(await fixture.rows.find(key)).toMatchObject({ reason: 'user_deleted', attempts: 1 });
  expect(fixture.receiver.received).toHaveLength(1);
});

test('is not greeted for the first time when it is too late; but still when it was tried', async () => {
  const untried = await fixture.armed(await fixture.rows.addUser(), Date.now() - 49 * HOUR);
  const tried = await fixture.armed(await fixture.rows.addUser(), Date.now() - 49 * HOUR);
  await fixture.rows.sql(
    `update events.occurrences set attempts = 4, first_attempt_at = fire_at where key = ?`,
    [tried],
  );
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(untried), WITHIN).toBe('SKIPPED');
  expect(await fixture.rows.find(untried)).toMatchObject({ reason: 'too_late', report: 'skipped' });
  await expect.poll(() => fixture.stateOf(tried), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received.map(({ id }) => id)).toEqual([tried]);
});

test('the log holds neither names nor the address', async () => {
  const key = await fixture.armed(
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

test('an event of a type that this version does not have is neither sent nor given up', async () => {
  const userId = await fixture.rows.addUser();
  const key = await fixture.armed(userId, Date.now() - 100);
  await fixture.rows.sql(`update events.occurrences set event_type = 'wedding' where key = ?`, [
    key,
  ]);
  await fixture.dispatch();
  const attempts = () =>
    fixture.rows.sql<{ error_code: string }>(
      'select error_code from events.attempts where occurrence_key = ?',
      [key],
    );
  await expect.poll(attempts, WITHIN).toMatchObject([{ error_code: 'ERR_CANNOT_COMPOSE' }]);
  expect(await fixture.stateOf(key)).toBe('PROCESSING');
  expect(fixture.receiver.received).toEqual([]);
});
