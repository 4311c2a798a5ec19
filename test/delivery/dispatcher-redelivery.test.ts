import { beforeAll, expect, test } from 'vitest';

import { createRedelivery, type Redelivery } from '../../src/ledger/redelivery.ts';
import type { OccurrenceState } from '../../src/ledger/types.ts';
import { HOUR, useDispatcherFixture, WITHIN } from '../support/dispatcher-fixture.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const fixture = useDispatcherFixture();
let redelivery: Redelivery;
beforeAll(() => {
  redelivery = createRedelivery(fixture.database.orm);
});

test('is not too late, however long ago it was due, and says how late it is', async () => {
  const dueAt = Date.now() - 900 * HOUR;
  const key = await redelivered(await fixture.rows.addUser(), 'SKIPPED', dueAt);
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  const [greeting] = fixture.receiver.received;
  expect(greeting).toMatchObject({ id: key, body: { data: { late: true } } });
  expect(Number(greeting?.headers['daybell-lateness-ms'])).toBeGreaterThanOrEqual(900 * HOUR);
  expect((await fixture.rows.find(key)).latenessMs).toBeGreaterThanOrEqual(900 * HOUR);
});

test('is sent to a user who has moved since, with the current name and the original date and zone', async () => {
  const userId = await fixture.rows.addUser();
  const key = await redelivered(userId, 'FAILED');
  await fixture.rows.sql(
    `update users.users set timezone = 'Asia/Tokyo', date_of_birth = '1990-07-01',
       first_name = 'New' where id = ?`,
    [userId],
  );
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received[0]?.body).toMatchObject({
    message: "Hey, New Lovelace it's your birthday",
    data: {
      occasion: { timezone: 'Europe/Berlin', nominalDate: '2026-05-20', date: '1990-05-20' },
    },
  });
});

test('is not sent if the user was deleted meanwhile, and says so', async () => {
  const userId = await fixture.rows.addUser();
  const key = await redelivered(userId, 'FAILED');
  await fixture.rows.sql('delete from users.users where id = ?', [userId]);
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('FAILED');
  expect(await fixture.rows.find(key)).toMatchObject({ reason: 'user_deleted' });
  expect(fixture.receiver.received).toEqual([]);
});

test('is given up by its own clock, not by that of the first delivery', async () => {
  // Paused by the second, so that there are two attempts, however busy the machine is.
  fixture.receiver.answer(async (response) => {
    if (fixture.receiver.received.length === 2) {
      await fixture.rows.sql('update events.destinations set paused_at = now()');
    }
    withStatus(503)(response);
  });
  const dueAt = Date.now() - 200 * HOUR;
  const key = await fixture.rows.addOccurrence(await fixture.rows.addUser(), {
    state: 'FAILED',
    dueAt,
  });
  await fixture.rows.sql(
    'update events.occurrences set attempts = 30, first_attempt_at = due_at where key = ?',
    [key],
  );
  await redelivery.redeliver(key, { force: false });
  await fixture.dispatch();
  await expect.poll(async () => (await fixture.rows.find(key)).attempts, WITHIN).toBe(32);
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'PENDING', earlierAttempts: 30 });
});

test('waits for the end of a pause', async () => {
  await fixture.rows.sql('update events.destinations set paused_at = clock_timestamp()');
  const paused = await redelivered(await fixture.rows.addUser(), 'FAILED');
  const { logged } = await fixture.dispatch();
  await expect.poll(() => logged.map(({ msg }) => msg), WITHIN).toContain('dispatching');
  expect(await fixture.claimable()).toBe(1);
  expect(fixture.receiver.received).toEqual([]);
  await fixture.rows.sql('update events.destinations set paused_at = null');
  await expect.poll(() => fixture.stateOf(paused), WITHIN).toBe('COMPLETED');
});

async function redelivered(
  userId: string,
  state: OccurrenceState,
  dueAt = Date.now() - HOUR,
): Promise<string> {
  const key = await fixture.rows.addOccurrence(userId, { state, dueAt });
  await redelivery.redeliver(key, { force: false });
  return key;
}
