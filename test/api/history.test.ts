/** The history of a user's dates and zones, and where each change moved the next occurrence. */
import { randomUUID } from 'node:crypto';

import { expect, test } from 'vitest';

import { useTestApi } from '../support/api.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const api = useTestApi({ clock: () => NOW });

const BERTHA = {
  firstName: 'Bertha',
  lastName: 'Benz',
  dateOfBirth: '1990-05-20',
  timezone: 'Europe/Berlin',
};

async function create(): Promise<string> {
  return (await api.send('POST', '/v1/users', BERTHA)).body.id;
}

async function history(id: string, query = '') {
  const { status, body } = await api.send('GET', `/v1/users/${id}/history${query}`);
  expect(status).toBe(200);
  return body;
}

/** Gives the changes of a user the instants that a test wants, in their order. */
async function datePeriods(id: string, ...instants: readonly string[]): Promise<void> {
  await api.sql(
    `update users.history as h set valid_from = given.at, valid_until = given.until
     from (select id, ('{${instants.join()}}'::timestamptz[])[row_number() over (order by id)] as at,
             ('{${instants.join()}}'::timestamptz[])[row_number() over (order by id) + 1] as until
           from users.history where user_id = '${id}') as given
     where given.id = h.id`,
  );
}

test('a move shows what was due when before it, and the same day afterwards', async () => {
  const id = await create();
  await api.send('PATCH', `/v1/users/${id}`, { timezone: 'America/New_York' });
  await datePeriods(id, '2026-01-01T00:00:00Z', '2026-03-01T00:00:00Z');
  const { changes, isComplete } = await history(id);
  expect(isComplete).toBe(true);
  expect(changes).toHaveLength(2);
  expect(changes[0]).toEqual({
    at: '2026-03-01T00:00:00.000Z',
    occasionType: 'birthday',
    occasionId: id,
    before: {
      date: '1990-05-20',
      recurrence: 'birthday',
      rrule: null,
      offsetDays: 0,
      timezone: 'Europe/Berlin',
      deliveryTime: null,
      suspended: false,
      next: { nominalDate: '2026-05-20', dueAt: '2026-05-20T07:00:00.000Z' },
    },
    after: expect.objectContaining({
      timezone: 'America/New_York',
      next: { nominalDate: '2026-05-20', dueAt: '2026-05-20T13:00:00.000Z' },
    }),
  });
  expect(changes[1]).toMatchObject({ at: '2026-01-01T00:00:00.000Z', before: null });
  expect(await history(id, '?limit=1')).toEqual({ changes: [changes[0]], isComplete: false });
});

test('a move that puts the day into the past shows that it was due at once', async () => {
  const id = await create();
  await api.send('PATCH', `/v1/users/${id}`, { timezone: 'Asia/Tokyo' });
  await datePeriods(id, '2026-01-01T00:00:00Z', '2026-05-20T03:00:00Z');
  const [change] = (await history(id)).changes;
  expect(change.before.next.dueAt).toBe('2026-05-20T07:00:00.000Z');
  expect(change.after.next).toEqual({
    nominalDate: '2026-05-20',
    dueAt: '2026-05-20T00:00:00.000Z',
  });
});

test('a corrected date of birth moves to the new day', async () => {
  const id = await create();
  await api.send('PATCH', `/v1/users/${id}`, { dateOfBirth: '1990-12-01' });
  await datePeriods(id, '2026-01-01T00:00:00Z', '2026-06-01T00:00:00Z');
  const [change] = (await history(id)).changes;
  expect(change.before.next.nominalDate).toBe('2027-05-20');
  expect(change.after.next.nominalDate).toBe('2026-12-01');
});

test('the history contains no names, and lists an occasion from its beginning to its end', async () => {
  const id = await create();
  const path = `/v1/users/${id}/occasions`;
  const reminder = { type: 'reminder', date: '2026-06-15', recurrence: 'monthly' };
  const { body: occasion } = await api.send('POST', path, reminder);
  const own = { type: 'subscription', date: '2027-01-31', recurrence: 'once', timezone: 'UTC' };
  const { body: fixed } = await api.send('POST', path, own);
  await api.send('PATCH', `/v1/users/${id}`, { lastName: '<script>' });
  await api.send('PATCH', `/v1/users/${id}`, { timezone: 'Asia/Tokyo' });
  await api.send('DELETE', `${path}/${occasion.id}`);
  const { changes } = await history(id);
  const words = changes.map(
    (one: { occasionType: string; before: unknown; after: unknown }) =>
      `${one.occasionType} ${one.before === null ? 'began' : one.after === null ? 'ended' : 'changed'}`,
  );
  expect(words).toEqual([
    'reminder ended',
    'birthday changed',
    'reminder changed',
    'subscription began',
    'reminder began',
    'birthday began',
  ]);
  expect(changes[3].occasionId).toBe(fixed.id);
  expect(JSON.stringify(changes)).not.toContain('<script>');
});

test('the history requires a user, and a limit within bounds', async () => {
  for (const id of [randomUUID(), 'nobody']) {
    expect((await api.send('GET', `/v1/users/${id}/history`)).status).toBe(404);
  }
  const id = await create();
  expect((await api.send('GET', `/v1/users/${id}/history?limit=201`)).status).toBe(400);
});
