/** Users and occasions by the caller's own ids, as a nightly synchronization needs them. */
import { beforeEach, describe, expect, test } from 'vitest';

import { ADA, useTestApi } from '../support/api.ts';

const api = useTestApi();
const REMINDER = { date: '2027-01-31', recurrence: 'monthly' };

let count = 0;
let externalId: string;
let path: string;
beforeEach(() => {
  count += 1;
  externalId = `crm-${count}`;
  path = `/v1/users/external/${externalId}`;
});

describe('a user', () => {
  test('is created, then replaced, then left alone', async () => {
    const created = await api.send('PUT', path, ADA);
    expect(created).toMatchObject({ status: 201, body: { ...ADA, externalId, revision: 1 } });
    expect(created.headers.get('location')).toBe(`/v1/users/${created.body.id}`);
    const renamed = { ...ADA, lastName: 'King', externalId };
    const replaced = await api.send('PUT', path, renamed);
    expect(replaced).toMatchObject({ status: 200, body: { ...renamed, revision: 2 } });
    const before = await api.counts();
    const again = await api.send('PUT', path, renamed);
    expect(again).toMatchObject({ status: 200, body: replaced.body });
    expect(again.headers.get('etag')).toBe('"2"');
    expect(await api.counts()).toEqual(before);
  });

  test('is read, changed and deleted by the same path', async () => {
    const { id } = (await api.send('PUT', path, ADA)).body;
    expect((await api.send('GET', path)).body).toMatchObject({ id, externalId });
    const moved = await api.send('PATCH', path, { timezone: 'Asia/Tokyo' });
    expect(moved.body).toMatchObject({ id, timezone: 'Asia/Tokyo', revision: 2 });
    expect((await api.send('DELETE', path)).status).toBe(204);
    for (const method of ['GET', 'DELETE']) {
      expect((await api.send(method, path)).status).toBe(404);
    }
    expect((await api.send('PATCH', path, {})).status).toBe(404);
  });

  test('that two requests create at the same moment is created once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => api.send('PUT', path, ADA)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(7).fill(200), 201]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  });

  test.for(['a/b', 'a%2Fb', 'ü 😀', 'occurrences', 'occasions', "'; --", '?&#', 'external'])(
    'may have the external id %j',
    async (externalId) => {
      const path = `/v1/users/external/${encodeURIComponent(externalId)}`;
      expect((await api.send('PUT', path, ADA)).body).toMatchObject({ externalId });
      expect((await api.send('GET', path)).body).toMatchObject({ externalId });
      const occasions = `${path}/occasions`;
      expect((await api.send('GET', occasions)).body).toEqual({ occasions: [], nextCursor: null });
    },
  );

  test("is refused with the field's name if path or body break a rule, or contradict each other", async () => {
    const before = await api.counts();
    for (const [place, body, field] of [
      ['/v1/users/external/a%00b', ADA, 'externalId'],
      [`/v1/users/external/${'x'.repeat(201)}`, ADA, 'externalId'],
      [path, { ...ADA, externalId: 'crm-other' }, 'externalId'],
      [path, { ...ADA, dateOfBirth: '2999-01-01' }, 'dateOfBirth'],
    ] as const) {
      const answer = await api.send('PUT', place, body);
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ field }] } });
    }
    expect(await api.counts()).toEqual(before);
  });

  test('can be put conditionally', async () => {
    const put = (headers: Record<string, string>) => api.send('PUT', path, ADA, headers);
    expect((await put({ 'If-Match': '*' })).status).toBe(412);
    expect((await put({ 'If-Match': '"1"' })).status).toBe(412);
    expect((await put({ 'If-None-Match': '*' })).status).toBe(201);
    expect((await put({ 'If-None-Match': '*' })).status).toBe(412);
    expect((await put({ 'If-Match': '"1"' })).status).toBe(200);
  });

  test('is named if another one requests its external id', async () => {
    const { id } = (await api.send('PUT', path, ADA)).body;
    const other = (await api.send('POST', '/v1/users', ADA)).body.id;
    const body = { ...ADA, externalId };
    for (const answer of [
      await api.send('POST', '/v1/users', body),
      await api.send('PUT', `/v1/users/${other}`, body),
      await api.send('PATCH', `/v1/users/${other}`, { externalId }),
    ]) {
      expect(answer).toMatchObject({
        status: 409,
        body: {
          type: 'urn:daybell:problem:external-id-taken',
          conflict: { userId: id },
          errors: [{ field: 'externalId' }],
        },
      });
    }
  });
});

describe('a suspension', () => {
  const REASON = { suspended: true, suspendedReason: 'opted out' };

  test('is not lifted by a replacement that does not mention it', async () => {
    const created = await api.send('PUT', path, { ...ADA, ...REASON });
    expect(created.body).toMatchObject(REASON);
    expect((await api.send('PUT', path, ADA)).body).toMatchObject({ ...REASON, revision: 1 });
    const replaced = await api.send('PUT', `/v1/users/${created.body.id}`, {
      ...ADA,
      externalId,
    });
    expect(replaced.body).toMatchObject(REASON);
    const place = `${path}/occasions/reminder/r-1`;
    await api.send('PUT', place, { ...REMINDER, ...REASON });
    expect((await api.send('PUT', place, REMINDER)).body).toMatchObject({ ...REASON, revision: 1 });
  });

  test('is lifted explicitly, and its reason goes with it', async () => {
    await api.send('PUT', path, { ...ADA, ...REASON });
    expect((await api.send('PATCH', path, { suspendedReason: 'deceased' })).body).toMatchObject({
      suspended: true,
      suspendedReason: 'deceased',
    });
    const lifted = await api.send('PUT', path, { ...ADA, suspended: false });
    expect(lifted.body).toMatchObject({ suspended: false, suspendedReason: null });
    const refused = await api.send('PATCH', path, { suspendedReason: 'opted out' });
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'suspendedReason' }] },
    });
  });

  test('is a schedule input, like a delivery time: both have a history', async () => {
    const { id } = (await api.send('PUT', path, { ...ADA, deliveryTime: '07:30' })).body;
    await api.send('PATCH', path, { suspended: true });
    await api.send('PATCH', path, { suspendedReason: 'dispute' });
    await api.send('PATCH', path, { deliveryTime: null });
    expect(
      await api.sql(
        `select delivery_time as time, suspended from users.history where user_id = ? order by id`,
        [id],
      ),
    ).toEqual([
      { time: '07:30', suspended: false },
      { time: '07:30', suspended: true },
      { time: null, suspended: true },
    ]);
    const events = await api.sql(
      `select changed, done_at is null as waits from users.outbox where user_id = ? order by id`,
      [id],
    );
    expect(events).toEqual([
      { changed: [], waits: true },
      { changed: ['suspended'], waits: true },
      { changed: ['suspendedReason'], waits: false },
      { changed: ['deliveryTime'], waits: true },
    ]);
  });
});

describe('an occasion', () => {
  test('is created, replaced, left alone, read, changed and deleted, by either path of its user', async () => {
    const { id: userId } = (await api.send('PUT', path, ADA)).body;
    const external = `${path}/occasions/reminder/r-1`;
    const byId = `/v1/users/${userId}/occasions/reminder/r-1`;
    const created = await api.send('PUT', external, REMINDER);
    const expected = { ...REMINDER, type: 'reminder', externalId: 'r-1', userId, revision: 1 };
    expect(created).toMatchObject({ status: 201, body: expected });
    const { id } = created.body;
    expect(created.headers.get('location')).toBe(`/v1/users/${userId}/occasions/${id}`);
    expect((await api.send('GET', byId)).body).toEqual(created.body);

    const whole = { ...REMINDER, type: 'reminder', externalId: 'r-1', offsetDays: 3 };
    const replaced = await api.send('PUT', byId, whole);
    expect(replaced).toMatchObject({ status: 200, body: { ...whole, id, revision: 2 } });
    const before = await api.counts();
    const again = await api.send('PUT', external, whole);
    expect(again).toMatchObject({ status: 200, body: replaced.body });
    expect(await api.counts()).toEqual(before);

    expect((await api.send('PATCH', external, { offsetDays: 0 })).body).toMatchObject({
      revision: 3,
    });
    expect((await api.send('GET', `${path}/occasions`)).body.occasions).toMatchObject([{ id }]);
    expect((await api.send('DELETE', external)).status).toBe(204);
    expect((await api.send('GET', byId)).status).toBe(404);
  });

  test('of an unknown user, or of an unknown or reserved type, is refused', async () => {
    expect((await api.send('PUT', `${path}/occasions/reminder/r`, REMINDER)).status).toBe(404);
    await api.send('PUT', path, ADA);
    for (const [place, body, field] of [
      ['birthday/r', REMINDER, 'type'],
      ['Big/r', REMINDER, 'type'],
      ['reminder/%00', REMINDER, 'occasionExternalId'],
      ['reminder/r', { ...REMINDER, type: 'other' }, 'type'],
      ['reminder/r', { ...REMINDER, externalId: 'other' }, 'externalId'],
    ] as const) {
      const answer = await api.send('PUT', `${path}/occasions/${place}`, body);
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ field }] } });
    }
  });

  test('can be put conditionally', async () => {
    await api.send('PUT', path, ADA);
    const put = (headers: Record<string, string>) =>
      api.send('PUT', `${path}/occasions/reminder/r`, REMINDER, headers);
    expect((await put({ 'If-Match': '*' })).status).toBe(412);
    expect((await put({ 'If-None-Match': '*' })).status).toBe(201);
    expect((await put({ 'If-None-Match': '*' })).status).toBe(412);
    expect((await put({ 'If-Match': '"1-active"' })).status).toBe(200);
  });
});
