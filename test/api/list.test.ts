import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';

import { ADA, createTestApi, type TestApi } from '../support/api.ts';

const COUNT = 25;

let api: TestApi;
const ids: string[] = [];
beforeAll(async () => {
  api = await createTestApi();
  for (let at = 0; at < COUNT; at += 1) {
    const timezone = at % 5 === 0 ? 'Asia/Calcutta' : 'Asia/Kolkata';
    const fields = { ...ADA, lastName: `L${at}`, externalId: `crm-${at}`, timezone };
    ids.push((await api.send('POST', '/v1/users', fields)).body.id);
  }
});
// A page ends before users that an older transaction could still precede: other tests run such
// transactions.
beforeEach(untilAllFinal);
afterAll(() => api.database.drop());

async function pages(query: string): Promise<string[][]> {
  const found: string[][] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { status, body } = await api.send('GET', `/v1/users?${query}${from}`);
    expect(status).toBe(200);
    found.push(body.users.map(({ id }: { id: string }) => id));
    cursor = body.nextCursor;
  }
  return found;
}

test('a page has 50 users by default, with all of their fields', async () => {
  const { body } = await api.send('GET', '/v1/users');
  expect(body.users).toHaveLength(COUNT);
  expect(body.nextCursor).toBeNull();
  expect(body.users[3]).toEqual((await api.send('GET', `/v1/users/${ids[3]}`)).body);
});

test.for([1, 7, 24, 25, 26, 200])(
  'pages of %i together contain everyone once, in order',
  async (limit) => {
    const found = await pages(`limit=${limit}`);
    expect(found.flat()).toEqual(ids);
    expect(found).toHaveLength(Math.ceil(COUNT / limit));
  },
);

test('the next page begins where the last one ended, whatever users were created or deleted meanwhile', async () => {
  const extra = await Promise.all([1, 2, 3].map(() => api.send('POST', '/v1/users', ADA)));
  await untilAllFinal();
  const first = await api.send('GET', '/v1/users?limit=26');
  await Promise.all(extra.map(({ body }) => api.send('DELETE', `/v1/users/${body.id}`)));
  const late = await api.send('POST', '/v1/users', ADA);
  const second = await api.send('GET', `/v1/users?limit=26&cursor=${first.body.nextCursor}`);
  expect(first.body.users.slice(0, COUNT).map(({ id }: { id: string }) => id)).toEqual(ids);
  expect(second.body.users.map(({ id }: { id: string }) => id)).toEqual([late.body.id]);
  await api.send('DELETE', `/v1/users/${late.body.id}`);
});

test('a filter by zone uses the name that was sent', async () => {
  const found = await pages('limit=2&timezone=Asia/Calcutta');
  expect(found.flat()).toEqual(ids.filter((_, at) => at % 5 === 0));
  expect((await pages('timezone=Europe/Berlin')).flat()).toEqual([]);
});

test('a filter by external id finds one or none', async () => {
  expect((await pages('externalId=crm-4')).flat()).toEqual([ids[4]]);
  expect((await pages('externalId=CRM-4')).flat()).toEqual([]);
  expect((await pages('externalId=crm-4&timezone=Asia/Calcutta')).flat()).toEqual([]);
});

async function untilAllFinal(): Promise<void> {
  const find = 'select from users.users where position >= pg_snapshot_xmin(pg_current_snapshot())';
  await vi.waitUntil(async () => (await api.sql(find)).length === 0, { timeout: 60_000 });
}
