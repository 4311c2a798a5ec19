import { beforeEach, expect, test } from 'vitest';

import { ADA, useTestApi } from '../support/api.ts';

const START = Date.UTC(2026, 10, 23, 12);

let now = START;
const api = useTestApi({ clock: () => now });
beforeEach(() => {
  now = START;
});

const create = (key: string, fields: object = {}) =>
  api.send('POST', '/v1/users', { ...ADA, ...fields }, { 'Idempotency-Key': key });

test('a repeated request gets the same response, and creates nothing', async () => {
  const first = await create('again');
  now += 1000;
  const before = await api.counts();
  const second = await create('again');
  expect(second.status).toBe(201);
  expect(second.body).toEqual(first.body);
  for (const header of ['location', 'etag']) {
    expect(second.headers.get(header)).toBe(first.headers.get(header));
  }
  expect(await api.counts()).toEqual(before);
});

test('spaces and the order of fields do not make a different request', async () => {
  const first = await create('order');
  const { firstName, lastName, dateOfBirth, timezone } = ADA;
  const second = await api.send(
    'POST',
    '/v1/users',
    { timezone, dateOfBirth, externalId: null, lastName, firstName },
    { 'Idempotency-Key': 'order' },
  );
  expect(second.body).toEqual(first.body);
});

test('the response is the original one, although the user has changed since', async () => {
  const first = await create('then');
  await api.send('PATCH', `/v1/users/${first.body.id}`, { firstName: 'Augusta' });
  expect((await create('then')).body).toEqual(first.body);
});

test('simultaneous requests create one user', async () => {
  const before = await api.counts();
  const answers = await Promise.all(Array.from({ length: 12 }, () => create('storm')));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  expect(await api.counts()).toEqual({
    users: (before['users'] ?? 0) + 1,
    history: (before['history'] ?? 0) + 1,
    outbox: (before['outbox'] ?? 0) + 1,
    keys: (before['keys'] ?? 0) + 1,
  });
});

test('a different request with the same key is 422 and creates nothing', async () => {
  await create('other');
  const before = await api.counts();
  const answer = await create('other', { lastName: 'King' });
  expect(answer.status).toBe(422);
  expect(answer.body.type).toBe('urn:daybell:problem:idempotency-key-reused');
  expect(await api.counts()).toEqual(before);
});

test('a refused request does not use up the key', async () => {
  await create('taker', { externalId: 'crm-idem' });
  expect((await create('retry', { externalId: 'crm-idem' })).status).toBe(409);
  expect((await create('retry', { firstName: '' })).status).toBe(400);
  expect((await create('retry')).status).toBe(201);
});

test('after the user was deleted, the key creates nobody new, and keeps no name', async () => {
  const { body } = await create('gone', { firstName: 'Secretname' });
  await api.send('DELETE', `/v1/users/${body.id}`);
  expect(
    await api.sql(`select 1 from users.idempotency_keys where body::text like '%Secretname%'`),
  ).toEqual([]);
  const before = await api.counts();
  const answer = await create('gone', { firstName: 'Secretname' });
  expect(answer.status).toBe(409);
  expect(answer.body.type).toBe('urn:daybell:problem:idempotent-user-deleted');
  expect(await api.counts()).toEqual(before);
});

test.for(['k'.repeat(255), 'a b', '"quoted"', '~!@#$%^&*()'])('a key may be %j', async (key) => {
  expect((await create(key)).status).toBe(201);
});

test.for(['k'.repeat(256), '', 'ü', 'a\tb'])('a key may not be %j', async (key) => {
  const before = await api.counts();
  const answer = await create(key);
  expect(answer.status).toBe(400);
  expect(answer.body.errors).toEqual([
    { field: 'Idempotency-Key', rule: expect.stringMatching(/255/) },
  ]);
  expect(await api.counts()).toEqual(before);
});
