import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { ADA, createTestApi, type TestApi } from '../support/api.ts';

const START = Date.UTC(2026, 10, 23, 12, 0, 0, 123);
const HOUR = 3_600_000;

let now = START;
let api: TestApi;
/** By the database's clock, which stands still; the process's own clock has no effect. */
const setClock = async (instant: number): Promise<void> => {
  now = instant;
  await api.sql(`create or replace function users.clock() returns timestamptz language sql stable
    as 'select to_timestamp(${instant / 1000})'`);
};
beforeAll(async () => {
  api = await createTestApi({ clock: () => now });
});
afterAll(() => api.database.drop());
beforeEach(() => setClock(START));

interface HistoryRow {
  date_of_birth: string;
  timezone: string;
  from: number;
  until: number | null;
}
const historyOf = (id: string): Promise<HistoryRow[]> =>
  api.sql(
    `select date_of_birth, timezone,
       (extract(epoch from valid_from) * 1000)::float8 as from,
       (extract(epoch from valid_until) * 1000)::float8 as until
     from users.history where user_id = ? order by id`,
    [id],
  );
const eventsOf = (id: string): Promise<unknown[]> =>
  api.sql(
    `select type, revision, changed, (extract(epoch from occurred_at) * 1000)::float8 as at
     from users.outbox where user_id = ? order by id`,
    [id],
  );
const inputsChangedAt = async (id: string): Promise<number | undefined> => {
  const [row] = await api.sql<{ at: number }>(
    `select (extract(epoch from inputs_changed_at) * 1000)::float8 as at from users.users where id = ?`,
    [id],
  );
  return row?.at;
};
const create = async (fields = {}) =>
  (await api.send('POST', '/v1/users', { ...ADA, ...fields })).body;

describe('creating', () => {
  test('answers 201 with the user, its address and its tag', async () => {
    const answer = await api.send('POST', '/v1/users', { ...ADA, externalId: 'crm-1' });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      ...ADA,
      externalId: 'crm-1',
      deliveryTime: null,
      suspended: false,
      suspendedReason: null,
      id: expect.stringMatching(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ),
      createdAt: '2026-11-23T12:00:00.123Z',
      updatedAt: '2026-11-23T12:00:00.123Z',
      revision: 1,
    });
    expect(answer.headers.get('location')).toBe(`/v1/users/${answer.body.id}`);
    expect(answer.headers.get('etag')).toBe('"1"');

    const read = await api.send('GET', `/v1/users/${answer.body.id}`);
    expect(read.status).toBe(200);
    expect(read.body).toEqual(answer.body);
    expect(read.headers.get('etag')).toBe('"1"');
  });

  test('requires neither a last name nor an external id', async () => {
    const { firstName, dateOfBirth, timezone } = ADA;
    const answer = await api.send('POST', '/v1/users', { firstName, dateOfBirth, timezone });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ lastName: '', externalId: null });
  });

  test('keeps names and zones as they were sent', async () => {
    const fields = { firstName: 'Zoe\u0308', lastName: '李  😀', timezone: 'Asia/Calcutta' };
    const { id } = await create(fields);
    expect((await api.send('GET', `/v1/users/${id}`)).body).toMatchObject(fields);
  });

  test('trims white space around a name, of any kind', async () => {
    const sent = { firstName: '\u00a0 Ada\u3000', lastName: ' van  Lovelace \u2003' };
    const trimmed = { firstName: 'Ada', lastName: 'van  Lovelace' };
    const { id } = await create(sent);
    expect((await api.send('GET', `/v1/users/${id}`)).body).toMatchObject(trimmed);
    for (const [method, body] of [
      ['PATCH', sent],
      ['PUT', { ...ADA, ...sent }],
    ] as const) {
      const answer = await api.send(method, `/v1/users/${id}`, body);
      expect(answer.body).toMatchObject({ ...trimmed, revision: 1 });
    }
    const emptied = await api.send('PATCH', `/v1/users/${id}`, { lastName: ' \u2003' });
    expect(emptied.body.lastName).toBe('');
  });

  test.for(['EST', 'GMT', 'UTC'])(
    'accepts the zone %s, and hints at a likely mistake',
    async (zone) => {
      const hints = [{ field: 'timezone', hint: expect.stringMatching(/no daylight saving/) }];
      const created = await api.send('POST', '/v1/users', { ...ADA, timezone: zone });
      expect(created).toMatchObject({ status: 201, body: { timezone: zone, hints } });
      const path = `/v1/users/${created.body.id}`;
      const moved = await api.send('PATCH', path, { timezone: 'Europe/London' });
      expect(moved.body).not.toHaveProperty('hints');
      expect((await api.send('PUT', path, { ...ADA, timezone: zone })).body).toMatchObject({
        hints,
      });
      expect((await api.send('GET', path)).body).not.toHaveProperty('hints');
    },
  );

  test('writes the user, the history and the event together', async () => {
    const { id } = await create();
    expect(await historyOf(id)).toEqual([
      { date_of_birth: ADA.dateOfBirth, timezone: ADA.timezone, from: START, until: null },
    ]);
    expect(await eventsOf(id)).toEqual([
      { type: 'UserCreated', revision: 1, changed: [], at: START },
    ]);
    expect(await inputsChangedAt(id)).toBe(START);
  });

  test('with an external id that is taken is refused and leaves no trace', async () => {
    await create({ externalId: 'crm-taken' });
    const before = await api.counts();
    const answer = await api.send('POST', '/v1/users', { ...ADA, externalId: 'crm-taken' });
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({
      type: 'urn:daybell:problem:external-id-taken',
      errors: [{ field: 'externalId' }],
    });
    expect(await api.counts()).toEqual(before);
  });

  test('accepts a user born today where they live, although it is still yesterday in UTC', async () => {
    await setClock(Date.UTC(2026, 10, 23, 23));
    const born = { dateOfBirth: '2026-11-24' };
    expect(
      (await api.send('POST', '/v1/users', { ...ADA, ...born, timezone: 'Asia/Tokyo' })).status,
    ).toBe(201);
    const refused = await api.send('POST', '/v1/users', { ...ADA, ...born });
    expect(refused.status).toBe(400);
    expect(refused.body.errors).toEqual([
      { field: 'dateOfBirth', rule: expect.stringMatching(/future/) },
    ]);
  });
});

describe('changing with PATCH', () => {
  test('changes only the given fields, and returns the result', async () => {
    const user = await create();
    await setClock(now + HOUR);
    const answer = await api.send('PATCH', `/v1/users/${user.id}`, { lastName: 'King' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('etag')).toBe('"2"');
    expect(answer.body).toEqual({
      ...user,
      lastName: 'King',
      updatedAt: '2026-11-23T13:00:00.123Z',
      revision: 2,
    });
    expect((await api.send('GET', `/v1/users/${user.id}`)).body).toEqual(answer.body);
  });

  test('the name adds nothing to the history, and the inputs have not changed', async () => {
    const { id } = await create();
    await setClock(now + HOUR);
    await api.send('PATCH', `/v1/users/${id}`, { firstName: 'Augusta', externalId: 'crm-ada' });
    expect(await historyOf(id)).toHaveLength(1);
    expect(await inputsChangedAt(id)).toBe(START);
    expect(await eventsOf(id)).toEqual([
      expect.objectContaining({ type: 'UserCreated' }),
      { type: 'UserUpdated', revision: 2, changed: ['externalId', 'firstName'], at: START + HOUR },
    ]);
  });

  test('date or zone closes the history and opens a new period at the same instant', async () => {
    const { id } = await create();
    await setClock(now + HOUR);
    await api.send('PATCH', `/v1/users/${id}`, { timezone: 'Asia/Tokyo' });
    await setClock(now + HOUR);
    await api.send('PATCH', `/v1/users/${id}`, { dateOfBirth: '1990-12-11', firstName: 'A' });
    const { dateOfBirth, timezone } = ADA;
    expect(await historyOf(id)).toEqual([
      { date_of_birth: dateOfBirth, timezone, from: START, until: START + HOUR },
      {
        date_of_birth: dateOfBirth,
        timezone: 'Asia/Tokyo',
        from: START + HOUR,
        until: START + 2 * HOUR,
      },
      { date_of_birth: '1990-12-11', timezone: 'Asia/Tokyo', from: START + 2 * HOUR, until: null },
    ]);
    expect(await inputsChangedAt(id)).toBe(START + 2 * HOUR);
    expect(await eventsOf(id)).toMatchObject([
      { revision: 1 },
      { revision: 2, changed: ['timezone'] },
      { revision: 3, changed: ['firstName', 'dateOfBirth'] },
    ]);
  });

  test('nothing leaves no trace', async () => {
    const user = await create();
    const before = await api.counts();
    await setClock(now + HOUR);
    for (const patch of [{}, { firstName: ADA.firstName }, ADA]) {
      const answer = await api.send('PATCH', `/v1/users/${user.id}`, patch);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(user);
      expect(answer.headers.get('etag')).toBe('"1"');
    }
    expect(await api.counts()).toEqual(before);
  });

  test('removes the external id with null, and then another user may have it', async () => {
    const { id } = await create({ externalId: 'crm-moving' });
    const freed = await api.send('PATCH', `/v1/users/${id}`, { externalId: null });
    expect(freed.body).toMatchObject({ externalId: null, revision: 2 });
    expect(await create({ externalId: 'crm-moving' })).toMatchObject({ revision: 1 });
    const answer = await api.send('PATCH', `/v1/users/${id}`, { externalId: 'crm-moving' });
    expect(answer.status).toBe(409);
    expect((await api.send('GET', `/v1/users/${id}`)).body).toEqual(freed.body);
  });

  test('that puts the date of birth in the future where the user now lives names the zone', async () => {
    await setClock(Date.UTC(2026, 10, 23, 23));
    const { id } = await create({ dateOfBirth: '2026-11-24', timezone: 'Asia/Tokyo' });
    const moved = await api.send('PATCH', `/v1/users/${id}`, { timezone: 'America/New_York' });
    expect(moved.status).toBe(400);
    expect(moved.body.errors).toEqual([
      { field: 'timezone', rule: expect.stringMatching(/future/) },
    ]);
    expect(await historyOf(id)).toHaveLength(1);
  });

  test('loses none of many simultaneous changes', async () => {
    const { id } = await create({ externalId: 'crm-many' });
    const patches = [
      ...Array.from({ length: 10 }, (_, at) => ({ lastName: `L${at}` })),
      ...Array.from({ length: 10 }, (_, at) => ({ timezone: `Etc/GMT+${at + 1}` })),
      { firstName: 'Augusta' },
      { externalId: null },
    ];
    const answers = await Promise.all(
      patches.map((patch) => api.send('PATCH', `/v1/users/${id}`, patch)),
    );
    expect(answers.map(({ status }) => status)).toEqual(patches.map(() => 200));
    const revisions = answers.map(({ body }) => body.revision).sort((a, b) => a - b);
    expect(revisions).toEqual(patches.map((_, at) => at + 2));
    const { body } = await api.send('GET', `/v1/users/${id}`);
    expect(body).toMatchObject({
      firstName: 'Augusta',
      externalId: null,
      revision: patches.length + 1,
    });

    const history = await historyOf(id);
    expect(history).toHaveLength(11);
    expect(history.filter(({ until }) => until === null)).toHaveLength(1);
    expect(history.at(-1)?.timezone).toBe(body.timezone);
    expect(await eventsOf(id)).toHaveLength(patches.length + 1);
  });

  test('never makes a history that runs backwards, even if a clock was set back', async () => {
    const { id } = await create();
    await setClock(now - HOUR);
    const answer = await api.send('PATCH', `/v1/users/${id}`, { timezone: 'Asia/Tokyo' });
    expect(answer.body.updatedAt).toBe('2026-11-23T12:00:00.123Z');
    expect(await historyOf(id)).toMatchObject([
      { from: START, until: START },
      { from: START, until: null },
    ]);
  });

  test('works for a user whose zone this installation does not know', async () => {
    const { id } = await create();
    await api.sql(`update users.users set timezone = 'Mars/Olympus' where id = ?`, [id]);
    const answer = await api.send('PATCH', `/v1/users/${id}`, { dateOfBirth: '1991-01-01' });
    expect(answer.status).toBe(200);
    expect(answer.body.timezone).toBe('Mars/Olympus');
  });
});

describe('replacing with PUT', () => {
  test('clears the optional fields that are absent', async () => {
    const { id } = await create({ externalId: 'crm-put' });
    await setClock(now + HOUR);
    const { firstName, dateOfBirth, timezone } = ADA;
    const answer = await api.send('PUT', `/v1/users/${id}`, { firstName, dateOfBirth, timezone });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ externalId: null, lastName: '', revision: 2 });
    expect(await eventsOf(id)).toMatchObject([{}, { changed: ['externalId', 'lastName'] }]);
  });

  test('changes nothing if the user is already the same', async () => {
    const user = await create();
    const before = await api.counts();
    expect((await api.send('PUT', `/v1/users/${user.id}`, ADA)).body).toEqual(user);
    expect(await api.counts()).toEqual(before);
  });

  test('requires every required field', async () => {
    const { id } = await create();
    const answer = await api.send('PUT', `/v1/users/${id}`, { firstName: 'A' });
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toEqual([
      { field: 'dateOfBirth', rule: 'is required' },
      { field: 'timezone', rule: 'is required' },
    ]);
  });
});

describe('deleting', () => {
  test('removes the user, closes the history, writes the event', async () => {
    const { id } = await create();
    await setClock(now + HOUR);
    const answer = await api.send('DELETE', `/v1/users/${id}`);
    expect(answer.status).toBe(204);
    expect(answer.body).toBeNull();
    expect(await api.sql('select 1 from users.users where id = ?', [id])).toEqual([]);
    expect(await historyOf(id)).toMatchObject([{ from: START, until: START + HOUR }]);
    expect(await eventsOf(id)).toEqual([
      expect.objectContaining({ type: 'UserCreated' }),
      { type: 'UserDeleted', revision: 2, changed: [], at: START + HOUR },
    ]);
  });

  test('an unknown user, or one a second time, is 404', async () => {
    const { id } = await create();
    await api.send('DELETE', `/v1/users/${id}`);
    expect((await api.send('DELETE', `/v1/users/${id}`)).status).toBe(404);
    expect(await eventsOf(id)).toHaveLength(2);
  });

  test('twice at once succeeds once', async () => {
    const { id } = await create();
    const answers = await Promise.all([1, 2, 3].map(() => api.send('DELETE', `/v1/users/${id}`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404]);
    expect(await eventsOf(id)).toHaveLength(2);
  });
});

describe('an unknown user', () => {
  test.for(['00000000-0000-7000-8000-000000000000', 'nobody', '%00', "'%20or%201=1"])(
    '%s is 404',
    async (id) => {
      for (const [method, body] of [
        ['GET', undefined],
        ['PATCH', { firstName: 'A' }],
        ['PUT', ADA],
        ['DELETE', undefined],
      ] as const) {
        const answer = await api.send(method, `/v1/users/${id}`, body);
        expect(answer.status).toBe(404);
        expect(answer.body).toMatchObject({
          type: 'urn:daybell:problem:user-not-found',
          status: 404,
        });
      }
      expect((await api.send('GET', `/v1/users/${id}/occurrences`)).status).toBe(404);
    },
  );
});

const change = (id: string, ifMatch: string) =>
  api.send('PATCH', `/v1/users/${id}`, { lastName: `${Math.random()}` }, { 'If-Match': ifMatch });

describe('If-Match', () => {
  test.for(['"1"', '*', '"7", "1"', '"1",', ', "1"', '"7",,\t"1" ,', 'W/"1", "1"', '"a,b","1"'])(
    '%s allows a change of revision 1',
    async (ifMatch) => {
      const { id } = await create();
      expect((await change(id, ifMatch)).status).toBe(200);
    },
  );

  test.for(['"2"', '"0"', '"01"', 'W/"1"', '"abc"', '"2", "3"', '""', ',', '', '"a,1,b"'])(
    '%s prevents it',
    async (ifMatch) => {
      const { id } = await create();
      const before = await api.counts();
      const answers = [
        await change(id, ifMatch),
        await api.send(
          'PUT',
          `/v1/users/${id}`,
          { ...ADA, firstName: 'B' },
          { 'If-Match': ifMatch },
        ),
        await api.send('DELETE', `/v1/users/${id}`, undefined, { 'If-Match': ifMatch }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([412, 412, 412]);
      expect(answers[0]?.body.type).toBe('urn:daybell:problem:revision-mismatch');
      expect(await api.counts()).toEqual(before);
    },
  );

  test.for(['1', 'abc', '"1', '"1" "2"', '*, "1"', 'w/"1"', '"1 2"'])(
    '%s is not a tag',
    async (ifMatch) => {
      const { id } = await create();
      const answer = await change(id, ifMatch);
      expect(answer.status).toBe(400);
      expect(answer.body.errors).toEqual([{ field: 'If-Match', rule: expect.any(String) }]);
    },
  );

  test('is also a condition for reading', async () => {
    const { id } = await create();
    const read = (ifMatch: string) =>
      api.send('GET', `/v1/users/${id}`, undefined, { 'If-Match': ifMatch });
    expect((await read('"1"')).status).toBe(200);
    expect((await read('"2"')).status).toBe(412);
  });

  test('allows only one of many that saw the same revision', async () => {
    const { id } = await create();
    const answers = await Promise.all(Array.from({ length: 8 }, () => change(id, '"1"')));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
  });
});

describe('If-None-Match', () => {
  const read = (method: string, id: string, ifNoneMatch: string) =>
    api.send(method, `/v1/users/${id}`, undefined, { 'If-None-Match': ifNoneMatch });
  const changes = (id: string, headers: Record<string, string>) =>
    [
      ['PATCH', { lastName: 'King' }],
      ['PUT', { ...ADA, lastName: 'King' }],
      ['DELETE', undefined],
    ].map(
      ([method, body]) =>
        () =>
          api.send(String(method), `/v1/users/${id}`, body, headers),
    );

  test.for(['"1"', 'W/"1"', '*', '"7", W/"1"', ', "1",'])(
    '%s avoids reading what has not changed, and prevents a change of it',
    async (ifNoneMatch) => {
      const { id } = await create();
      for (const method of ['GET', 'HEAD']) {
        const answer = await read(method, id, ifNoneMatch);
        expect(answer).toMatchObject({ status: 304, body: null });
        expect(answer.headers.get('etag')).toBe('"1"');
      }
      const before = await api.counts();
      for (const send of changes(id, { 'If-None-Match': ifNoneMatch })) {
        expect(await send()).toMatchObject({
          status: 412,
          body: { type: 'urn:daybell:problem:revision-mismatch' },
        });
      }
      expect(await api.counts()).toEqual(before);
    },
  );

  test.for(['"9"', 'W/"9"', '"01"', ',', '', '"a,1,b"'])(
    '%s allows revision 1 to be read and changed',
    async (ifNoneMatch) => {
      const { id } = await create();
      expect((await read('GET', id, ifNoneMatch)).status).toBe(200);
      for (const send of changes(id, { 'If-None-Match': ifNoneMatch })) {
        expect((await send()).status).toBeLessThan(300);
      }
    },
  );

  test('of an unknown user is 404, and so is a PUT that would create', async () => {
    const id = '00000000-0000-7000-8000-000000000000';
    expect((await read('GET', id, '*')).status).toBe(404);
    for (const send of changes(id, { 'If-None-Match': '*' })) {
      expect((await send()).status).toBe(404);
    }
  });

  test('that is not a list of tags is refused with its name', async () => {
    const { id } = await create();
    const answer = await read('GET', id, '1');
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toEqual([{ field: 'If-None-Match', rule: expect.any(String) }]);
  });

  test('comes after If-Match, which fails first', async () => {
    const { id } = await create();
    const both = { 'If-Match': '"2"', 'If-None-Match': '"1"' };
    expect((await api.send('GET', `/v1/users/${id}`, undefined, both)).status).toBe(412);
  });
});
