/**
 * The users in lists of occurrences: names and external ids, the lists of an audit and of a
 * forecast.
 */
import { createHash } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import type { Scope } from '../../src/access/api-key.ts';
import { hashToken } from '../../src/access/bearer.ts';
import { ADA, useTestApi } from '../support/api.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

/** The evening before Ada's birthday. */
const NOW = Date.UTC(2026, 11, 9, 18);
const DATE = '2026-12-10';

const apiKey = (name: string, scopes: readonly Scope[]) => ({
  name,
  scopes,
  sha256: hashToken(`daybell_of-${name}`),
});
const bearer = (name: string) => ({ Authorization: `Bearer daybell_of-${name}` });
const api = useTestApi({
  clock: () => NOW,
  apiKeys: [
    apiKey('reader', ['deliveries:read']),
    apiKey('all', ['deliveries:read', 'users:read', 'users:write']),
  ],
  maxPerSecond: 1_000,
});

const get = (path: string, name = 'all') => api.send('GET', path, undefined, bearer(name));

async function addAda(externalId: string): Promise<string> {
  const { body } = await api.send('POST', '/v1/users', { ...ADA, externalId }, bearer('all'));
  await api.sql(`update users.history set valid_from = '2020-01-01Z' where user_id = ?`, [body.id]);
  return body.id;
}

const plantBirthday = (userId: string, columns: object = {}) =>
  plantOccurrence(api.sql, {
    user_id: userId,
    nominal_date: DATE,
    date: ADA.dateOfBirth,
    timezone: ADA.timezone,
    due_at: `${DATE}T09:00:00Z`,
    ...columns,
  });

/** A renewal of the user, due on the day. */
async function addRenewal(userId: string): Promise<string> {
  const [occasion] = await api.sql<{ id: string }>(
    `insert into users.occasions (id, user_id, type, external_id, date, recurrence, revision,
       created_at, updated_at, inputs_changed_at)
     values (gen_random_uuid(), ?, 'subscription', 'sub-7', '2020-12-10', 'yearly', 1,
       '2020-01-01Z', '2020-01-01Z', '2020-01-01Z')
     returning id`,
    [userId],
  );
  const id = occasion?.id ?? '';
  await api.sql(
    `insert into users.occasion_periods (occasion_id, occasion_type, user_id, date, recurrence,
       valid_from)
     values (?, 'subscription', ?, '2020-12-10', 'yearly', '2020-01-01Z')`,
    [id, userId],
  );
  return id;
}

const PERSON = (externalId: string) => ({
  externalId,
  firstName: ADA.firstName,
  lastName: ADA.lastName,
});

const LISTS = [
  '/v1/occurrences?',
  `/v1/audit/${DATE}/occurrences?`,
  `/v1/forecast/occurrences?to=2026-12-11T00:00:00Z&`,
];

describe('with include=user', () => {
  test.each(LISTS)('%s has names and external ids', async (list) => {
    const id = await addAda(`crm-${list}`);
    const subscription = await addRenewal(id);
    await plantBirthday(id);
    await plantOccurrence(api.sql, {
      occasion_type: 'subscription',
      occasion_id: subscription,
      user_id: id,
      recurrence: 'yearly',
      date: '2020-12-10',
      timezone: ADA.timezone,
      nominal_date: DATE,
      due_at: `${DATE}T09:00:00Z`,
    });
    const { status, body } = await get(`${list}include=user&limit=200`);
    expect(status).toBe(200);
    const own = body.occurrences.filter((one: { userId: string }) => one.userId === id);
    expect(own).toHaveLength(2);
    expect(own).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          key: `birthday:${id}:2026`,
          user: PERSON(`crm-${list}`),
          occasionExternalId: null,
        }),
        expect.objectContaining({
          key: `subscription:${subscription}:2026`,
          user: PERSON(`crm-${list}`),
          occasionExternalId: 'sub-7',
        }),
      ]),
    );
    const without = await get(`${list}limit=200`);
    expect(without.body.occurrences[0]).not.toHaveProperty('user');
  });

  test.each(LISTS)('%s requires the scope of users as well', async (list) => {
    expect((await get(`${list}limit=1`, 'reader')).status).toBe(200);
    const { status, body } = await get(`${list}include=user`, 'reader');
    expect(status).toBe(403);
    expect(body).toMatchObject({ type: 'urn:daybell:problem:insufficient-scope' });
    expect(body.detail).toContain('users:read');
    expect((await get(`${list}include=users`)).body.errors).toEqual([
      { field: 'include', rule: 'must be user' },
    ]);
  });

  test('has no name for a user who is deleted', async () => {
    const id = await addAda('gone');
    await plantBirthday(id, { state: 'COMPLETED' });
    await api.sql('delete from users.users where id = ?', [id]);
    const { body } = await get(`/v1/occurrences?include=user&userId=${id}`);
    expect(body.occurrences).toMatchObject([{ userId: id, user: null, occasionExternalId: null }]);
  });
});

describe('the list of an audit', () => {
  test('has each class by name, in pages, and can be limited to one type', async () => {
    await api.sql(
      'truncate users.users, users.history, users.occasions, users.occasion_periods cascade',
    );
    await api.sql('truncate events.occurrences cascade');
    const ids = [await addAda('a'), await addAda('b'), await addAda('c')];
    const [gone = '', ...others] = ids.toSorted();
    await plantBirthday(gone, { state: 'FAILED', reason: 'gone' });
    for (const id of others) await plantBirthday(id);
    const renewal = await addRenewal(gone);
    const list = async (query: string) =>
      (await get(`/v1/audit/${DATE}/occurrences?${query}`)).body;

    const failed = { class: 'failed.gone', key: `birthday:${gone}:2026`, userId: gone };
    for (const name of ['failed', 'failed.gone']) {
      const { occurrences, nextCursor } = await list(`class=${name}`);
      expect(occurrences).toEqual([
        {
          ...failed,
          occasionType: 'birthday',
          occasionId: gone,
          nominalDate: DATE,
          localDate: DATE,
          timezone: ADA.timezone,
          dueAt: `${DATE}T09:00:00.000Z`,
          attempts: 1,
        },
      ]);
      expect(nextCursor).toBeNull();
    }
    expect((await list('class=failed.refused')).occurrences).toEqual([]);
    const ofType = await list('occasionType=subscription');
    expect(ofType.occurrences).toMatchObject([
      { class: 'pending.unplanned', key: `subscription:${renewal}:2026` },
    ]);

    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { occurrences: { key: string }[]; nextCursor: string | null } = await list(
        `limit=1${cursor === null ? '' : `&cursor=${cursor}`}`,
      );
      expect(page.occurrences).toHaveLength(1);
      found.push(...page.occurrences.map(({ key }) => key));
      cursor = page.nextCursor;
    } while (cursor !== null);
    const all = [...ids.map((id) => `birthday:${id}:2026`), `subscription:${renewal}:2026`];
    expect(found.toSorted()).toEqual(all.toSorted());
  });

  test.each([
    ['class=lost', 'class', /must be one of delivered, late, failed/],
    ['class=delivered.late', 'class', /must be one of/],
    ['cursor=abc', 'cursor', /must be a nextCursor/],
    ['occasionType=No', 'occasionType', /must be the name of an occasion type/],
  ])('refuses %s', async (query, field, rule) => {
    const { status, body } = await get(`/v1/audit/${DATE}/occurrences?${query}`);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field, rule: expect.stringMatching(rule) }]);
  });

  test('is 410 for a day of which only numbers are kept', async () => {
    const report = (await get('/v1/audit/2020-05-20')).body;
    await api.sql('insert into events.audits (date, report) values (?, ?)', [
      '2020-05-20',
      JSON.stringify(report),
    ]);
    expect((await get('/v1/audit/2020-05-20')).body).toEqual(report);
    const { status, body } = await get('/v1/audit/2020-05-20/occurrences');
    expect(status).toBe(410);
    expect(body).toMatchObject({ type: 'urn:daybell:problem:audit-not-listed' });
  });
});

test('the list of a forecast refuses a cursor that it never returned', async () => {
  const place = { planned: { dueAt: 0, key: 'a\0' }, computed: null, listed: 0 };
  const cursor = Buffer.from(JSON.stringify(place)).toString('base64url');
  const { status, body } = await get(`/v1/forecast/occurrences?cursor=${cursor}`);
  expect(status).toBe(400);
  expect(body.errors).toEqual([{ field: 'cursor', rule: 'must be a nextCursor' }]);
});

test('the list of a forecast accepts a window of a month at most', async () => {
  const { status, body } = await get('/v1/forecast/occurrences?to=2027-02-01T00:00:00Z');
  expect(status).toBe(400);
  expect(body.errors).toEqual([{ field: 'to', rule: 'must be at most 31 days after from' }]);
});

test('an occurrence that was erased with its user is 410, with the time', async () => {
  const key = `birthday:019a0000-0000-7000-8000-000000000001:2025`;
  expect((await get(`/v1/occurrences/${key}`)).status).toBe(404);
  await api.sql(
    `insert into events.erased_occurrences
       (key_hash, occasion_type, user_id, state, attempts, redeliveries, erased_at)
     values (decode(?, 'hex'), 'birthday', gen_random_uuid(), 'COMPLETED', 1, 0, '2026-01-02T03:04:05Z')`,
    [createHash('sha256').update(key).digest('hex')],
  );
  const { status, body } = await get(`/v1/occurrences/${key}`);
  expect(status).toBe(410);
  expect(body).toMatchObject({
    type: 'urn:daybell:problem:occurrence-erased',
    erasedAt: '2026-01-02T03:04:05.000Z',
  });
});

test('a plan whose inputs have changed since is marked, until it is made again', async () => {
  const id = await addAda('replanned');
  const key = await plantBirthday(id, { inputs_at: '2026-01-01T00:00:00Z' });
  const replanning = async () => (await get(`/v1/occurrences/${key}`)).body.replanning;
  const planned = (inputsAt: string) =>
    api.sql(`update events.occurrences set inputs_at = ${inputsAt} where key = ?`, [key]);
  expect(await replanning()).toBe(true);
  await planned('(select inputs_changed_at from users.users where id = user_id)');
  expect(await replanning()).toBe(false);
  // Released: it waits for its plan.
  await api.sql('update events.occurrences set next_attempt_at = null where key = ?', [key]);
  expect(await replanning()).toBe(true);
  await api.sql(
    `update events.occurrences set state = 'SKIPPED', reason = 'too_late', settled_at = now()
     where key = ?`,
    [key],
  );
  expect(await replanning()).toBe(false);
});

test("a user's occurrences come in pages, and the next one with the first page", async () => {
  const id = await addAda('pages');
  const keys: string[] = [];
  for (const year of [2023, 2024, 2025]) {
    keys.unshift(
      await plantBirthday(id, {
        state: 'COMPLETED',
        nominal_date: `${year}-12-10`,
        due_at: `${year}-12-10T09:00:00Z`,
      }),
    );
  }
  keys.unshift(await plantBirthday(id));
  const path = `/v1/users/${id}/occurrences?limit=3`;
  const { body: first } = await get(path);
  const { body: second } = await get(`${path}&cursor=${first.nextCursor}`);
  const keysOf = ({ occurrences }: { occurrences: { key: string }[] }) =>
    occurrences.map(({ key }) => key);
  expect([...keysOf(first), ...keysOf(second)]).toEqual(keys);
  expect(first.next.key).toBe(keys[0]);
  expect(second).toMatchObject({ next: null, nextCursor: null });
});
