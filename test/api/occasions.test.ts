/** Occasions of users besides the birthday, over HTTP. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { ADA, createTestApi, type TestApi } from '../support/api.ts';

const START = Date.UTC(2026, 10, 23, 12, 0, 0, 123);
const SUBSCRIPTION = { type: 'subscription', date: '2027-01-31', recurrence: 'monthly' };
const WHOLE = {
  ...SUBSCRIPTION,
  externalId: 'contract-9',
  offsetDays: 7,
  deliveryTime: '18:30',
  timezone: 'Asia/Tokyo',
  data: { plan: 'Pro', seats: 3, tags: ['a', null] },
  suspended: true,
  suspendedReason: 'dispute',
};
const PLAIN = {
  ...SUBSCRIPTION,
  externalId: null,
  rrule: null,
  offsetDays: 0,
  deliveryTime: null,
  timezone: null,
  data: null,
  suspended: false,
  suspendedReason: null,
};

let now = START;
let api: TestApi;
let userId: string;
let path: string;
const setClock = async (instant: number): Promise<void> => {
  now = instant;
  await api.sql(`create or replace function users.clock() returns timestamptz language sql stable
    as 'select to_timestamp(${instant / 1000})'`);
};
beforeAll(async () => {
  api = await createTestApi({
    clock: () => now,
    dateSettings: async () => (type) => ({
      leapDayPolicy: 'feb28',
      localTime: type === 'evening' ? '20:00' : '09:00',
    }),
  });
});
afterAll(() => api.database.drop());
beforeEach(async () => {
  await setClock(START);
  userId = (await api.send('POST', '/v1/users', ADA)).body.id;
  path = `/v1/users/${userId}/occasions`;
});

const create = async (fields = {}) =>
  (await api.send('POST', path, { ...SUBSCRIPTION, ...fields })).body;
const eventsOf = (id: string): Promise<unknown[]> =>
  api.sql(`select type, revision, changed from users.outbox where occasion_id = ? order by id`, [
    id,
  ]);

describe('creating', () => {
  test('answers 201 with the occasion, its address and its tag', async () => {
    const answer = await api.send('POST', path, SUBSCRIPTION);
    expect(answer).toMatchObject({ status: 201 });
    expect(answer.body).toEqual({
      ...PLAIN,
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      userId,
      status: 'active',
      createdAt: '2026-11-23T12:00:00.123Z',
      updatedAt: '2026-11-23T12:00:00.123Z',
      revision: 1,
    });
    expect(answer.headers.get('location')).toBe(`${path}/${answer.body.id}`);
    expect(answer.headers.get('etag')).toBe('"1-active"');
    const read = await api.send('GET', `${path}/${answer.body.id}`);
    expect(read).toMatchObject({ status: 200, body: answer.body });
    expect(read.headers.get('etag')).toBe('"1-active"');
  });

  test('keeps every field as it was sent', async () => {
    const answer = await api.send('POST', path, WHOLE);
    expect(answer.body).toMatchObject({ ...WHOLE, rrule: null, status: 'suspended' });
    expect((await api.send('GET', `${path}/${answer.body.id}`)).body).toEqual(answer.body);
  });

  test.for([
    [{ type: 'anniversary', date: '2020-02-29' }, { recurrence: 'yearly' }],
    [
      { type: 'birthday-reminder', offsetDays: 7 },
      { date: null, recurrence: 'yearly' },
    ],
    [{ type: 'a', date: '2027-01-01', rrule: 'FREQ=DAILY' }, { recurrence: null }],
  ] as const)('%j gets what its type or rule implies', async ([sent, implied]) => {
    const answer = await api.send('POST', path, sent);
    expect(answer).toMatchObject({ status: 201, body: { ...sent, ...implied } });
  });

  test.for([
    ['is due before it is created', { recurrence: 'once', date: '2026-11-22' }, 'ended'],
    ['is due earlier that day', { recurrence: 'once', date: '2026-11-23' }, 'ended'],
    ['is due later that day', { date: '2026-11-23', deliveryTime: '12:01' }, 'active'],
    ['is due later by its type', { date: '2026-11-23', type: 'evening' }, 'active'],
    ['is due by the time of the zone', { date: '2026-11-23', timezone: 'Etc/GMT+12' }, 'active'],
    ['was to be announced by now', { date: '2026-11-30', offsetDays: 7 }, 'ended'],
    ['is announced tomorrow', { date: '2026-12-01', offsetDays: 7 }, 'active'],
  ] as const)('with a date that %s gets the right status and hint', async ([, fields, status]) => {
    const answer = await api.send('POST', path, { ...SUBSCRIPTION, recurrence: 'once', ...fields });
    expect(answer).toMatchObject({ status: 201, body: { status } });
    expect(answer.body.hints).toEqual(
      status === 'ended'
        ? [{ field: 'date', hint: expect.stringMatching(/no future occurrence/) }]
        : undefined,
    );
    expect(answer.headers.get('etag')).toBe(`"1-${status}"`);
  });

  test('with an idempotency key happens once, and repeats the original response', async () => {
    const send = () => api.send('POST', path, WHOLE, { 'Idempotency-Key': 'k-1' });
    const first = await send();
    await api.send('PATCH', `${path}/${first.body.id}`, { offsetDays: 1 });
    expect((await send()).body).toEqual(first.body);
    const other = await api.send('POST', path, SUBSCRIPTION, { 'Idempotency-Key': 'k-1' });
    expect(other).toMatchObject({ status: 422 });
    await api.send('DELETE', `${path}/${first.body.id}`);
    expect(await send()).toMatchObject({
      status: 409,
      body: { type: 'urn:daybell:problem:idempotent-occasion-deleted' },
    });
    const kept = await api.sql(`select body, request_hash from users.idempotency_keys`);
    expect(kept).toEqual([{ body: null, request_hash: '' }]);
  });

  test('for an unknown user is 404', async () => {
    const nobody = '/v1/users/00000000-0000-7000-8000-000000000000/occasions';
    for (const [method, body] of [
      ['POST', SUBSCRIPTION],
      ['GET', undefined],
    ] as const) {
      expect(await api.send(method, nobody, body)).toMatchObject({
        status: 404,
        body: { type: 'urn:daybell:problem:user-not-found' },
      });
    }
  });
});

const BAD_FIELDS = [
  ['type', undefined, /required/],
  ['type', 'birthday', /reserved/],
  ['type', 'test', /reserved/],
  ['type', 'Renewal', /lower-case/],
  ['type', '1st', /begin with a letter/],
  ['type', 'x'.repeat(41), /40/],
  ['date', undefined, /required/],
  ['date', '2027-02-29', /calendar/],
  ['date', '1599-12-31', /1600/],
  ['date', 20270131, /string/],
  ['recurrence', undefined, /required, unless rrule/],
  ['recurrence', 'birthday', /one of once, daily/],
  ['recurrence', 'rrule', /one of once, daily/],
  ['rrule', 'FREQ=DAILY', /together with recurrence/],
  ['rrule', `FREQ=DAILY;BYMONTH=${'1,'.repeat(300)}1`, /500 characters/],
  ['offsetDays', -1, /from 0 to 366/],
  ['offsetDays', 367, /from 0 to 366/],
  ['offsetDays', 1.5, /whole number/],
  ['offsetDays', '7', /whole number/],
  ['deliveryTime', '9:00', /HH:MM/],
  ['deliveryTime', '24:00', /HH:MM/],
  ['timezone', 'Mars/Olympus', /IANA/],
  ['externalId', '', /empty/],
  ['data', [], /JSON object/],
  ['data', 'x', /JSON object/],
  ['data', { a: 'x'.repeat(4090) }, /4096 bytes/],
  ['data', { a: 'ü'.repeat(2045) }, /4096 bytes/],
  ['data', { a: ['b\u0000'] }, /without NUL/],
  ['data', { 'a\ud800': 1 }, /well-formed/],
  ['data', JSON.parse(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`), /32 levels/],
  ['suspended', 'yes', /true or false/],
  ['suspendedReason', 'opted out', /unless suspended/],
  ['nickname', 'x', /not a field/],
] as const;

describe('a field that breaks a rule', () => {
  test.for(BAD_FIELDS)(
    '%s %j is refused with its name and the rule',
    async ([field, value, rule]) => {
      const before = await api.sql('select from users.occasions');
      const expected = [{ field, rule: expect.stringMatching(rule) }];
      const created = await api.send('POST', path, { ...SUBSCRIPTION, [field]: value });
      expect(created).toMatchObject({ status: 400, body: { errors: expected } });
      expect(await api.sql('select from users.occasions')).toEqual(before);
      if (value === undefined || field === 'type' || field === 'rrule') return;
      const { id } = await create();
      const patched = await api.send('PATCH', `${path}/${id}`, { [field]: value });
      expect(patched).toMatchObject({ status: 400, body: { errors: expected } });
    },
  );

  test.for([
    [{ type: 'birthday-reminder', date: '2027-01-01' }, 'date', /follows the date of birth/],
    [{ type: 'anniversary', date: '2027-01-01', recurrence: 'daily' }, 'recurrence', /yearly/],
    [{ type: 'anniversary', date: '2027-01-01', rrule: 'FREQ=DAILY' }, 'rrule', /yearly/],
    [{ type: 'a', date: '2027-01-01', rrule: 'DAILY' }, 'rrule', /RFC 5545|FREQ/],
  ] as const)('%j is refused because of its type', async ([sent, field, rule]) => {
    const answer = await api.send('POST', path, sent);
    expect(answer.body.errors).toEqual([{ field, rule: expect.stringMatching(rule) }]);
  });

  test.each([
    ['a number beyond double precision', '1e400'],
    ['a whole number that would lose digits', '9007199254740993'],
  ])('is refused although JSON can express it: %s', async (_, number) => {
    const body = `{"type":"a","date":"2027-01-01","recurrence":"once","data":{"n":[${number}]}}`;
    const headers = { 'Content-Type': 'application/json' };
    const answer = await api.app.request(path, { method: 'POST', headers, body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      errors: [{ field: 'data', rule: expect.stringContaining('beyond 9007199254740991') }],
    });
  });
});

describe('changing', () => {
  test('changes only the given fields', async () => {
    const occasion = await create({ externalId: 'c-1' });
    await setClock(now + 1000);
    const answer = await api.send('PATCH', `${path}/${occasion.id}`, { offsetDays: 3 });
    expect(answer.body).toEqual({
      ...occasion,
      offsetDays: 3,
      updatedAt: '2026-11-23T12:00:01.123Z',
      revision: 2,
    });
    expect(answer.headers.get('etag')).toBe('"2-active"');
    expect(await eventsOf(occasion.id)).toEqual([
      { type: 'OccasionCreated', revision: 1, changed: [] },
      { type: 'OccasionUpdated', revision: 2, changed: ['offsetDays'] },
    ]);
  });

  test('a recurrence replaces a rule, and the other way round', async () => {
    const { id } = await create();
    const patch = async (body: object) => (await api.send('PATCH', `${path}/${id}`, body)).body;
    expect(await patch({ rrule: 'FREQ=WEEKLY' })).toMatchObject({
      recurrence: null,
      rrule: 'FREQ=WEEKLY',
    });
    expect(await patch({ recurrence: 'daily' })).toMatchObject({
      recurrence: 'daily',
      rrule: null,
    });
    expect((await patch({ recurrence: null })).errors).toEqual([
      { field: 'recurrence', rule: expect.stringMatching(/required/) },
    ]);
  });

  test('a rule that is over ends it, and a later UNTIL revives it', async () => {
    const { id } = await create();
    const patch = async (rrule: string) =>
      (await api.send('PATCH', `${path}/${id}`, { rrule, date: '2026-01-31' })).body;
    const ended = await patch('FREQ=MONTHLY;UNTIL=20261031');
    expect(ended).toMatchObject({ status: 'ended' });
    const active = await patch('FREQ=MONTHLY;UNTIL=20261231');
    expect(active).toMatchObject({ status: 'active' });
    expect((await patch('FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30')).errors).toEqual([
      { field: 'rrule', rule: 'must match some day: from the date on, it never does' },
    ]);
  });

  test('the type is refused', async () => {
    const { id } = await create();
    const answer = await api.send('PATCH', `${path}/${id}`, { type: 'reminder' });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: 'type' }] } });
  });

  test('to an external id that is taken is 409, and names the occasion that has it', async () => {
    const holder = await create({ externalId: 'c-taken' });
    const { id } = await create();
    const answers = [
      await api.send('PATCH', `${path}/${id}`, { externalId: 'c-taken' }),
      await api.send('POST', path, { ...SUBSCRIPTION, externalId: 'c-taken' }),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({
        status: 409,
        body: {
          type: 'urn:daybell:problem:occasion-external-id-taken',
          conflict: { userId, occasionId: holder.id },
        },
      });
    }
    const ofAnotherType = await api.send('POST', path, {
      ...SUBSCRIPTION,
      type: 'reminder',
      externalId: 'c-taken',
    });
    expect(ofAnotherType.status).toBe(201);
  });

  test('to a past date ends it, and a later one revives it', async () => {
    const { id } = await create({ recurrence: 'once' });
    const patch = async (body: object) => (await api.send('PATCH', `${path}/${id}`, body)).body;
    expect(await patch({ date: '2026-01-31' })).toMatchObject({ status: 'ended' });
    expect(await patch({ date: '2027-01-31' })).toMatchObject({ status: 'active' });
  });

  test('the user also changes what follows from it: zone, delivery time, date of birth, suspension', async () => {
    const today = { recurrence: 'once', date: '2026-11-23' };
    const [follows, own] = [await create(today), await create({ ...today, timezone: 'UTC' })];
    const status = async ({ id }: { id: string }) =>
      (await api.send('GET', `${path}/${id}`)).body.status;
    expect([await status(follows), await status(own)]).toEqual(['ended', 'ended']);
    await api.send('PATCH', `/v1/users/${userId}`, { timezone: 'Etc/GMT+12' });
    expect([await status(follows), await status(own)]).toEqual(['active', 'ended']);
    await api.send('PATCH', `/v1/users/${userId}`, { deliveryTime: '23:00' });
    expect([await status(follows), await status(own)]).toEqual(['active', 'active']);
    await api.send('PATCH', `/v1/users/${userId}`, { suspended: true });
    expect([await status(follows), await status(own)]).toEqual(['suspended', 'suspended']);
  });
});

describe('conditions', () => {
  test('depend on the revision, and a reader also learns of a new status', async () => {
    const { id } = await create({ recurrence: 'once', date: '2026-11-24' });
    const place = `${path}/${id}`;
    const get = (tag: string) => api.send('GET', place, undefined, { 'If-None-Match': tag });
    expect((await get('"1-active"')).status).toBe(304);
    await setClock(START + 86_400_000);
    const read = await get('"1-active"');
    expect(read).toMatchObject({ status: 200, body: { status: 'ended', revision: 1 } });
    const change = { offsetDays: 1 };
    const stale = await api.send('PATCH', place, change, { 'If-Match': '"2-active"' });
    expect(stale).toMatchObject({
      status: 412,
      body: { detail: 'The occasion is at revision 1.' },
    });
    const made = await api.send('PATCH', place, change, { 'If-Match': '"1-active"' });
    expect(made.status).toBe(200);
    const gone = await api.send('DELETE', place, undefined, { 'If-Match': '"1-ended"' });
    expect(gone.status).toBe(412);
  });
});

describe('deleting', () => {
  test('is 204, and then 404', async () => {
    const { id } = await create();
    expect(await api.send('DELETE', `${path}/${id}`)).toMatchObject({ status: 204, body: null });
    for (const method of ['GET', 'DELETE']) {
      expect(await api.send(method, `${path}/${id}`)).toMatchObject({
        status: 404,
        body: { type: 'urn:daybell:problem:occasion-not-found' },
      });
    }
    expect(await eventsOf(id)).toHaveLength(2);
  });

  test('an occasion of another user is 404', async () => {
    const { id } = await create();
    const other = (await api.send('POST', '/v1/users', ADA)).body.id;
    for (const place of [`/v1/users/${other}/occasions/${id}`, `${path}/nothing`]) {
      expect((await api.send('DELETE', place)).status).toBe(404);
    }
  });
});

describe('listing', () => {
  test('has pages that together contain all once, even of one type', async () => {
    const ids: string[] = [];
    for (let at = 0; at < 7; at += 1) {
      ids.push((await create({ type: at % 2 === 0 ? 'reminder' : 'subscription' })).id);
    }
    const pages = async (query: string) => {
      const found: string[][] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
        const { body } = await api.send('GET', `${path}?${query}${from}`);
        found.push(body.occasions.map(({ id }: { id: string }) => id));
        cursor = body.nextCursor;
      }
      return found;
    };
    expect(await pages('limit=3')).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
    expect((await pages('limit=2&type=reminder')).flat()).toEqual(
      ids.filter((_, at) => at % 2 === 0),
    );
    expect(await pages('type=anniversary')).toEqual([[]]);
  });

  test('handles 10,000 occasions of one user', async () => {
    await api.sql(
      `insert into users.occasions (id, user_id, type, date, recurrence, revision, created_at,
         updated_at, inputs_changed_at)
       select gen_random_uuid(), ?::uuid, 'reminder', date '2027-01-01' + n, 'once', 1, now(), now(), now()
       from generate_series(1, 10000) as n`,
      [userId],
    );
    const page = await api.send('GET', `${path}?limit=200`);
    expect(page.body.occasions).toHaveLength(200);
    const before = await api.counts();
    expect((await api.send('PATCH', `/v1/users/${userId}`, { timezone: 'UTC' })).status).toBe(200);
    expect((await create()).revision).toBe(1);
    expect((await api.send('DELETE', `/v1/users/${userId}`)).status).toBe(204);
    expect((await api.counts())['outbox']).toBe((before['outbox'] ?? 0) + 3);
    expect(await api.sql('select from users.occasions where user_id = ?', [userId])).toEqual([]);
  });
});

test('nothing of an occasion is in the log', async () => {
  const from = api.logged.length;
  const { id } = await create({ externalId: 'secret-9', data: { plan: 'Secret' } });
  await api.send('PATCH', `${path}/${id}`, { suspended: true, suspendedReason: 'secret' });
  await api.send('GET', `${path}/subscription/secret-9`);
  expect(JSON.stringify(api.logged.slice(from))).not.toMatch(/secret/i);
});
