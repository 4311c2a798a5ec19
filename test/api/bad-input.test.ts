import { beforeAll, describe, expect, test } from 'vitest';

import { ADA, type Answer, readAnswer, useTestApi } from '../support/api.ts';

let id: string;
const api = useTestApi();
beforeAll(async () => {
  id = (await api.send('POST', '/v1/users', ADA)).body.id;
});

/** Sends what must be refused, and checks that nothing was stored. */
async function refused(send: () => Promise<Answer>, status: number): Promise<Answer> {
  const before = [await api.counts(), await api.sql('select * from users.users')];
  const answer = await send();
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.body).toMatchObject({
    type: expect.stringMatching(/^urn:daybell:problem:/),
    title: expect.any(String),
    status,
    requestId: answer.headers.get('x-request-id'),
  });
  expect([await api.counts(), await api.sql('select * from users.users')]).toEqual(before);
  return answer;
}

const raw = async (
  body: string | Blob | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  readAnswer(
    await api.app.request('/v1/users', {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json', ...headers },
    }),
  );

const BAD_FIELDS = [
  ['firstName', undefined, /required/],
  ['firstName', null, /string/],
  ['firstName', 7, /string/],
  ['firstName', ['Ada'], /string/],
  ['firstName', '', /blank/],
  ['firstName', ' \u200b', /blank/],
  ['firstName', '\u2800', /blank/],
  ['firstName', ' \u{1d159}\u3164 ', /blank/],
  ['firstName', 'x'.repeat(101), /100 code points/],
  ['firstName', 'A\u0000', /control/],
  ['firstName', 'A\u202e', /direction/],
  ['firstName', '\ud800', /well-formed/],
  ['lastName', null, /string/],
  ['lastName', 'x'.repeat(101), /100 code points/],
  ['lastName', 'a\r\nb', /control/],
  ['lastName', 'a\u2067b', /direction/],
  ['externalId', '', /empty/],
  ['externalId', 5, /string/],
  ['externalId', 'x'.repeat(201), /200 code points/],
  ['externalId', 'a\u007fb', /control/],
  ['dateOfBirth', undefined, /required/],
  ['dateOfBirth', null, /string/],
  ['dateOfBirth', 19900520, /string/],
  ['dateOfBirth', '1900-02-29', /calendar/],
  ['dateOfBirth', '1990-02-30', /calendar/],
  ['dateOfBirth', '20.05.1990', /calendar/],
  ['dateOfBirth', '1599-12-31', /1600/],
  ['dateOfBirth', '2999-01-01', /future/],
  ['timezone', undefined, /required/],
  ['timezone', null, /string/],
  ['timezone', 'EDT', /nearest: EST5EDT/],
  ['timezone', 'BST', /IANA/],
  ['timezone', 'local', /IANA/],
  ['timezone', 'utc+3', /IANA/],
  ['timezone', '+05:30', /IANA/],
  ['timezone', 'Mars/Olympus', /IANA/],
  ['timezone', 'asia/tokyo', /nearest: Asia\/Tokyo/],
  ['timezone', 'Asia/Tokyo ', /nearest: Asia\/Tokyo/],
] as const;

describe('a field that breaks a rule', () => {
  test.for(BAD_FIELDS)(
    '%s %j is refused with its name and the rule',
    async ([field, value, rule]) => {
      const expected = [{ field, rule: expect.stringMatching(rule) }];
      const body = { ...ADA, [field]: value };
      const created = await refused(() => api.send('POST', '/v1/users', body), 400);
      expect(created.body.errors).toEqual(expected);
      const replaced = await refused(() => api.send('PUT', `/v1/users/${id}`, body), 400);
      expect(replaced.body.errors).toEqual(expected);
      if (value === undefined) return;
      const patched = await refused(
        () => api.send('PATCH', `/v1/users/${id}`, { [field]: value }),
        400,
      );
      expect(patched.body.errors).toEqual(expected);
    },
  );

  test('is reported together with all the others', async () => {
    const body = {
      firstName: '',
      lastName: 3,
      dateOfBirth: '2999-01-01',
      timezone: 'BST',
      externalId: '',
      nickname: 'x',
      ['__proto__x']: 1,
    };
    const answer = await refused(() => api.send('POST', '/v1/users', body), 400);
    expect(answer.body.errors.map(({ field }: { field: string }) => field).sort()).toEqual(
      [
        'firstName',
        'lastName',
        'dateOfBirth',
        'timezone',
        'externalId',
        'nickname',
        '__proto__x',
      ].sort(),
    );
  });

  test.for(['nickname', 'id', 'revision', 'createdAt', 'constructor', '__proto__'])(
    'is refused as unknown if it is %s',
    async (field) => {
      const body = `{"firstName":"Ada","dateOfBirth":"1990-12-10","timezone":"UTC","${field}":{}}`;
      const answer = await refused(() => raw(body), 400);
      expect(answer.body.errors).toEqual([{ field, rule: 'is not a field here' }]);
    },
  );
});

describe('a body', () => {
  test.for(['', '{', '{"firstName": }', "{'firstName':'A'}", '{"a":1}}', '\u0000', 'NaN'])(
    'that is not JSON is refused: %j',
    async (text) => {
      const answer = await refused(() => raw(text), 400);
      expect(answer.body.type).toBe('urn:daybell:problem:malformed-json');
      expect(answer.body.errors).toEqual([{ field: 'body', rule: expect.stringMatching(/JSON/) }]);
    },
  );

  test('that is not UTF-8 is refused, not stored with wrong letters', async () => {
    const latin1 = Buffer.from(JSON.stringify({ ...ADA, firstName: 'Zoë' }), 'latin1');
    const answer = await refused(() => raw(latin1), 400);
    expect(answer.body.errors).toEqual([{ field: 'body', rule: expect.stringMatching(/UTF-8/) }]);
  });

  test.for(['[]', '"x"', '7', 'null', 'true'])(
    'that is not an object is refused: %s',
    async (text) => {
      const answer = await refused(() => raw(text), 400);
      expect(answer.body.errors).toEqual([{ field: 'body', rule: 'must be a JSON object' }]);
    },
  );

  test('that is nested very deep is refused', async () => {
    const depth = 30_000;
    const list = await refused(() => raw('['.repeat(depth) + ']'.repeat(depth)), 400);
    expect(list.body.errors).toEqual([{ field: 'body', rule: 'must be a JSON object' }]);
    const deep = '{"firstName":'.repeat(4_000) + '1' + '}'.repeat(4_000);
    const { body } = await refused(() => raw(deep), 400);
    expect(body.errors).toContainEqual({ field: 'firstName', rule: 'must be a string' });
  });

  test('that is missing is refused with the names of the required fields', async () => {
    const answer = await refused(() => api.send('POST', '/v1/users'), 400);
    expect(answer.body.errors).toHaveLength(3);
  });

  test.for([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/xml',
    'json',
  ])('of type %s is 415', async (type) => {
    const answer = await refused(() => raw(JSON.stringify(ADA), { 'Content-Type': type }), 415);
    expect(answer.body.type).toBe('urn:daybell:problem:unsupported-media-type');
  });

  test('without a type, or compressed, is 415', async () => {
    for (const headers of [{ 'Content-Type': '' }, { 'Content-Encoding': 'identity, GZip' }]) {
      const answer = await refused(() => raw(new Blob([JSON.stringify(ADA)]), headers), 415);
      expect(answer.body.type).toBe('urn:daybell:problem:unsupported-media-type');
    }
  });

  test.for([
    'application/json; charset=utf-8',
    'application/json ; charset=utf-8',
    'application/json;charset="utf-8"; version="1;2"',
    'application/json;',
    'application/merge-patch+json',
    'application/vnd.acme.v2+json',
    'Application/JSON',
  ])('of type %s is read', async (type) => {
    expect((await raw(JSON.stringify(ADA), { 'Content-Type': type })).status).toBe(201);
  });

  test.for(['identity', 'Identity', ' , IDENTITY,', ''])(
    'in the coding %j, which is none, is read',
    async (coding) => {
      expect((await raw(JSON.stringify(ADA), { 'Content-Encoding': coding })).status).toBe(201);
    },
  );

  test('over 64 KB is 413, with a Content-Length or without', async () => {
    const text = JSON.stringify({ ...ADA, lastName: 'x'.repeat(64 * 1024) });
    const withLength = () => raw(text, { 'Content-Length': String(text.length) });
    const withoutLength = async () =>
      readAnswer(
        await api.app.request('/v1/users', {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: new Blob([text]).stream(),
          duplex: 'half',
        } as RequestInit),
      );
    for (const send of [withLength, withoutLength]) {
      const answer = await refused(send, 413);
      expect(answer.body.type).toBe('urn:daybell:problem:body-too-large');
    }
  });

  test('of 64 KB is read', async () => {
    const text = JSON.stringify(ADA).padEnd(64 * 1024, ' ');
    expect((await raw(text)).status).toBe(201);
  });
});

describe('a query', () => {
  test.for([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['cursor=', 'cursor'],
    ['cursor=abc', 'cursor'],
    ['cursor=YWJjZGVmZ2hpamtsbW5vcA', 'cursor'],
    ['cursor=x&cursor=y', 'cursor'],
    ['externalId=', 'externalId'],
    ['externalId=%00', 'externalId'],
    ['timezone=%00', 'timezone'],
    ['timezone=', 'timezone'],
    ['Limit=5', 'Limit'],
    ['firstName=Ada', 'firstName'],
  ] as const)('%s is refused with its name', async ([query, field]) => {
    const answer = await refused(() => api.send('GET', `/v1/users?${query}`), 400);
    expect(answer.body.errors).toEqual([{ field, rule: expect.any(String) }]);
  });

  test('is refused where no parameters are allowed', async () => {
    for (const [method, path, body] of [
      ['POST', '/v1/users?dryRun=true', ADA],
      ['GET', `/v1/users/${id}?fields=id`, undefined],
      ['PATCH', `/v1/users/${id}?upsert=1`, { firstName: 'B' }],
      ['PUT', `/v1/users/${id}?upsert=1`, ADA],
      ['DELETE', `/v1/users/${id}?force=1`, undefined],
      ['GET', `/v1/users/${id}/occurrences?year=2026`, undefined],
      ['POST', '/v1/occurrences/preview?x=', ADA],
    ] as const) {
      const answer = await refused(() => api.send(method, path, body), 400);
      expect(answer.body.errors).toEqual([
        { field: expect.any(String), rule: 'is not a parameter here' },
      ]);
    }
  });
});

test.for([
  ['PATCH', '/v1/users/{id}'],
  ['PUT', '/v1/users/{id}'],
  ['PUT', '/v1/users/external/crm-4711'],
  ['PUT', '/v1/users/{id}/occasions/reminder/contract-9'],
  ['PUT', '/v1/occasion-types/reminder'],
] as const)(
  '%s %s without a body is refused for that, not because of its revision',
  async ([method, path]) => {
    for (const revision of [undefined, '"3"']) {
      const headers = { 'Content-Length': '0', ...(revision && { 'If-Match': revision }) };
      const { body } = await refused(
        () => api.send(method, path.replace('{id}', id), undefined, headers),
        400,
      );
      expect(body.type).toBe('urn:daybell:problem:malformed-json');
    }
  },
);

describe('a path', () => {
  test.for([
    '/',
    '/v1',
    '/v1/user',
    '/v1/users/',
    `/v1/users/a/b`,
    '/v2/users',
    '/%',
    '/v1/users%00',
  ])('that does not exist is 404: %s', async (path) => {
    const answer = await refused(() => api.send('GET', path), 404);
    expect(answer.body.type).toBe('urn:daybell:problem:route-not-found');
  });

  test.for([
    ['PUT', '/v1/users', 'GET, HEAD, POST'],
    ['DELETE', '/v1/users', 'GET, HEAD, POST'],
    ['OPTIONS', '/v1/users', 'GET, HEAD, POST'],
    ['POST', '/v1/users/x', 'DELETE, GET, HEAD, PATCH, PUT'],
    ['POST', '/v1/users/x/occurrences', 'GET, HEAD'],
    ['PUT', '/v1/occurrences/preview', 'GET, HEAD, POST'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['PATCH', '/healthz', 'GET, HEAD'],
    ['PATCH', '/v1/users', 'GET, HEAD, POST'],
    ['POST', '/docs', 'GET, HEAD'],
  ] as const)(
    'that does not allow %s is 405 and names the allowed methods: %s',
    async ([method, path, allow]) => {
      const answer = await refused(() => api.send(method, path), 405);
      expect(answer.headers.get('allow')?.split(', ').sort().join(', ')).toBe(allow);
    },
  );
});
