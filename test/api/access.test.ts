/** Who may do what: every route in the API's own description, with every kind of key. */
import { randomUUID } from 'node:crypto';

import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { readAccess } from '../../src/api/access.ts';
import { type Scope, SCOPES } from '../../src/access/api-key.ts';
import { hashToken } from '../../src/access/bearer.ts';
import type { Api, ApiEnv } from '../../src/api/deps.ts';
import { ADA, type Answer, createTestApi, useTestApi, type TestApi } from '../support/api.ts';

/** A change here changes who may do what. */
const ACCESS: Readonly<Record<string, Scope | 'open'>> = {
  'POST /v1/imports': 'users:write',
  'GET /v1/export': 'users:read',
  'GET /v1/users': 'users:read',
  'POST /v1/users': 'users:write',
  'GET /v1/users/{id}': 'users:read',
  'PATCH /v1/users/{id}': 'users:write',
  'PUT /v1/users/{id}': 'users:write',
  'DELETE /v1/users/{id}': 'users:write',
  'GET /v1/users/{id}/history': 'users:read',
  'GET /v1/users/external/{externalId}': 'users:read',
  'PATCH /v1/users/external/{externalId}': 'users:write',
  'PUT /v1/users/external/{externalId}': 'users:write',
  'DELETE /v1/users/external/{externalId}': 'users:write',
  ...occasionAccess('/v1/users/{id}'),
  'POST /v1/users/{id}/occasions': 'users:write',
  'GET /v1/users/{id}/occasions/{occasionId}': 'users:read',
  'PATCH /v1/users/{id}/occasions/{occasionId}': 'users:write',
  'DELETE /v1/users/{id}/occasions/{occasionId}': 'users:write',
  ...occasionAccess('/v1/users/external/{externalId}'),
  'GET /v1/users/{id}/occurrences': 'deliveries:read',
  'GET /v1/occurrences': 'deliveries:read',
  'GET /v1/occurrences/{key}': 'deliveries:read',
  'GET /v1/occurrences/failures': 'deliveries:read',
  'POST /v1/occurrences/{key}/redeliver': 'deliveries:write',
  'POST /v1/occurrences/{key}/retry': 'deliveries:write',
  'POST /v1/occurrences/redeliver': 'deliveries:write',
  'GET /v1/redeliveries/{id}': 'deliveries:read',
  'POST /v1/occurrences/preview': 'deliveries:read',
  'GET /v1/occasion-types': 'deliveries:read',
  'GET /v1/occasion-types/{name}': 'deliveries:read',
  'PUT /v1/occasion-types/{name}': 'deliveries:write',
  'GET /v1/deliveries': 'deliveries:read',
  'POST /v1/deliveries/pause': 'deliveries:write',
  'POST /v1/deliveries/resume': 'deliveries:write',
  'POST /v1/webhook/test': 'deliveries:write',
  'POST /v1/webhook/check': 'deliveries:write',
  'GET /v1/operator-log': 'deliveries:read',
  'GET /v1/audit/{date}': 'deliveries:read',
  'GET /v1/audit/{date}/occurrences': 'deliveries:read',
  'GET /v1/forecast': 'deliveries:read',
  'GET /v1/forecast/occurrences': 'deliveries:read',
  'GET /v1/status': 'deliveries:read',
  'GET /metrics': 'deliveries:read',
  'GET /healthz': 'open',
  'GET /readyz': 'open',
};
const GUARDED = Object.entries(ACCESS).filter(([, scope]) => scope !== 'open');

/** Of what is there by the path of a user, whichever it is. */
function occasionAccess(user: string): Readonly<Record<string, Scope>> {
  const occasion = `${user}/occasions/{type}/{occasionExternalId}`;
  return {
    [`GET ${user}/occasions`]: 'users:read',
    [`GET ${occasion}`]: 'users:read',
    [`PUT ${occasion}`]: 'users:write',
    [`PATCH ${occasion}`]: 'users:write',
    [`DELETE ${occasion}`]: 'users:write',
  };
}

/** Real keys are random; a test's only need to differ. */
const keyOf = (name: string) => `daybell_of-${name}`;
const apiKey = (name: string, scopes: readonly Scope[]) => ({
  name,
  scopes,
  sha256: hashToken(keyOf(name)),
});
const bearer = (name: string) => ({ Authorization: `Bearer ${keyOf(name)}` });

let id: string;
const api = useTestApi({
  apiKeys: [...SCOPES.map((scope) => apiKey(scope, [scope])), apiKey('all', SCOPES)],
  maxPerSecond: 1_000,
});
beforeAll(async () => {
  id = (await api.send('POST', '/v1/users', ADA, bearer('all'))).body.id;
});

/** A call that would have an effect if it were let through. */
function call(route: string, headers: Record<string, string> = {}): Promise<Answer> {
  const [method = '', path = ''] = route.split(' ');
  const place = path
    .replace('{id}', id)
    .replace('{externalId}', 'crm-access')
    .replace('{occasionId}', randomUUID())
    .replace('{type}', 'reminder')
    .replace('{occasionExternalId}', 'r-1')
    .replace('{key}', `birthday:${id}:2026`)
    .replace('{date}', '2026-05-20')
    .replace('{name}', 'subscription');
  const occasion = { date: '2027-01-31', recurrence: 'monthly' };
  const bodies: Readonly<Record<string, object>> = {
    'POST /v1/users': ADA,
    'PUT /v1/users/{id}': { ...ADA, lastName: 'King' },
    'PATCH /v1/users/{id}': { lastName: 'King' },
    'PATCH /v1/users/external/{externalId}': { lastName: 'King' },
    'PUT /v1/users/external/{externalId}': ADA,
    'POST /v1/users/{id}/occasions': { type: 'reminder', ...occasion },
    'PATCH /v1/users/{id}/occasions/{occasionId}': { offsetDays: 1 },
    'PUT /v1/users/{id}/occasions/{type}/{occasionExternalId}': occasion,
    'POST /v1/occurrences/preview': { dateOfBirth: '1990-05-20', timezone: 'UTC' },
    'POST /v1/occurrences/redeliver': { status: 'FAILED' },
    'PUT /v1/occasion-types/{name}': { message: 'Hey' },
  };
  return api.send(method, place, bodies[route], headers);
}

async function stored(): Promise<unknown> {
  const users = await api.sql('select * from users.users');
  return [users, await api.counts(), await api.sql('select * from events.destinations')];
}

test('the table above has every route of the OpenAPI document, with the same scopes', async () => {
  const { paths, components } = (await api.send('GET', '/openapi.json')).body;
  const described = Object.entries<Record<string, { security: Record<string, string[]>[] }>>(
    paths,
  ).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => {
      const scopes = security.flatMap(({ apiKey: takes = [] }) => takes);
      return [`${method.toUpperCase()} ${path}`, scopes.join(' ') || 'open'];
    }),
  );
  expect(Object.fromEntries(described)).toEqual(ACCESS);
  expect(components.securitySchemes.apiKey).toMatchObject({ type: 'http', scheme: 'bearer' });
});

const SLIPS: readonly (readonly [string, { security?: Record<string, string[]>[] }])[] = [
  ['nothing', {}],
  ['a scheme without a scope', { security: [{ apiKey: [] }] }],
  ['another scheme', { security: [{ basic: ['users:read'] }] }],
];

test.for(SLIPS)(
  'a route that says %s about who may call it prevents the API from being built',
  ([, access]) => {
    const app: Api = new OpenAPIHono<ApiEnv>();
    const responses = { 204: { description: 'Done' } };
    const route = createRoute({ method: 'post', path: '/v1/secrets/{id}', responses, ...access });
    app.openapi(route, (c) => c.body(null, 204));
    expect(() => readAccess(app)).toThrow('POST /v1/secrets/:id does not declare who may call it');
  },
);

describe.for(GUARDED)('%s', ([route, scope]) => {
  test('without a key, or with a wrong one, is a 401 that says how to send one, and does nothing', async () => {
    const before = await stored();
    const none = await call(route);
    expect(none.status).toBe(401);
    expect(none.headers.get('www-authenticate')).toBe('Bearer');
    expect(none.headers.get('content-type')).toBe('application/problem+json');
    expect(none.body).toMatchObject({ type: 'urn:daybell:problem:unauthenticated' });

    const wrong = await call(route, bearer('nobody'));
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(await stored()).toEqual(before);
  });

  test('with a key of any other scope is a 403 that names the missing one, and does nothing', async () => {
    const before = await stored();
    for (const other of SCOPES.filter((each) => each !== scope)) {
      const answer = await call(route, bearer(other));
      expect(answer.status).toBe(403);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(answer.headers.get('www-authenticate')).toContain(`scope="${scope}"`);
      expect(answer.body).toMatchObject({
        type: 'urn:daybell:problem:insufficient-scope',
        detail: `This request requires the scope ${scope}.`,
      });
    }
    expect(await stored()).toEqual(before);
  });

  test('with a key of its scope is let through', async () => {
    const { status } = await call(route, bearer(scope));
    expect(status).not.toBe(500);
    expect([401, 403, 429]).not.toContain(status);
    // No other test needs them.
    if (route.startsWith('DELETE /v1/users/{id}'))
      id = (await call('POST /v1/users', bearer('all'))).body.id;
  });
});

describe('what takes no key', () => {
  test.for(['/healthz', '/readyz', '/openapi.json', '/docs'])('%s', async (path) => {
    expect((await api.send('GET', path)).status).toBe(200);
    // A wrong one is ignored.
    expect((await api.send('GET', path, undefined, bearer('nobody'))).status).toBe(200);
  });
});

const list = (Authorization: string) => api.send('GET', '/v1/users', undefined, { Authorization });

describe('a key', () => {
  test('is accepted in any spelling of Bearer', async () => {
    expect((await list(`bearer ${keyOf('all')}`)).status).toBe(200);
    expect((await list(`BEARER   ${keyOf('all')}`)).status).toBe(200);
  });

  test.for([
    keyOf('all'),
    'Bearer',
    `Basic ${Buffer.from(`all:${keyOf('all')}`).toString('base64')}`,
    `Bearer ${keyOf('all')} ${keyOf('all')}`,
    `Bearer ${keyOf('all')},Bearer ${keyOf('all')}`,
    `Bearer "${keyOf('all')}"`,
    `Bearer ${keyOf('all').toUpperCase()}`,
    `Bearer ${hashToken(keyOf('all')).toString('hex')}`,
  ])('is not accepted as %s', async (authorization) => {
    expect((await list(authorization)).status).toBe(401);
  });

  test('is not accepted from anywhere else', async () => {
    for (const [path, headers] of [
      [`/v1/users?key=${keyOf('all')}`, {}],
      [`/v1/users?access_token=${keyOf('all')}`, {}],
      ['/v1/users', { 'X-Api-Key': keyOf('all') }],
      ['/v1/users', { Cookie: `authorization=${keyOf('all')}` }],
    ] as const) {
      expect((await api.send('GET', path, undefined, headers)).status).toBe(401);
    }
  });

  test('is required by whichever path a route is reached', async () => {
    for (const path of ['/v1/users', '/v1/users/', '//v1/users', '/v1//users', '/v1/%75sers']) {
      for (const method of ['GET', 'HEAD']) {
        expect([401, 404]).toContain((await api.send(method, path)).status);
      }
    }
    const override = { 'X-HTTP-Method-Override': 'GET' };
    expect((await api.send('POST', '/v1/users', ADA, override)).status).toBe(401);
  });

  test('is checked before the body is read', async () => {
    const large = { ...ADA, lastName: 'x'.repeat(100_000) };
    expect((await api.send('POST', '/v1/users', large)).status).toBe(401);
    expect((await api.send('POST', '/v1/users', large, bearer('all'))).status).toBe(413);
  });

  test('appears in the log by its name only', async () => {
    const { headers } = await list(`Bearer ${keyOf('users:read')}`);
    const ofRequest = api.logged.filter(
      ({ requestId }) => requestId === headers.get('x-request-id'),
    );
    expect(ofRequest).toEqual([
      expect.objectContaining({ msg: 'request', key: 'users:read', status: 200 }),
    ]);
    await list(`Bearer ${keyOf('nobody')}`);
    const log = JSON.stringify(api.logged);
    expect(log).not.toContain('daybell_of');
    expect(log).not.toContain(hashToken(keyOf('all')).toString('hex'));
  });

  test('is one of several during a rotation: each may do what its own scopes allow', async () => {
    const changing = await createTestApi({
      apiKeys: [apiKey('crm-2026', ['users:read']), apiKey('crm-2027', ['users:read'])],
    });
    const statusWith = async (name: string) =>
      (await changing.send('GET', '/v1/users', undefined, bearer(name))).status;
    expect(await statusWith('crm-2026')).toBe(200);
    expect(await statusWith('crm-2027')).toBe(200);
    expect(await statusWith('all')).toBe(401);
    await changing.database.drop();
  });
});

describe('a key that sends too many requests', () => {
  test('is told when to try again, and no other key is affected', async () => {
    const slow = await createTestApi({
      apiKeys: [apiKey('crm', ['users:read']), apiKey('ops', ['users:read'])],
      maxPerSecond: 1,
    });
    const listAs = (name: string) => slow.send('GET', '/v1/users', undefined, bearer(name));
    const answers = [
      await listAs('crm'),
      await listAs('crm'),
      await listAs('crm'),
      await listAs('crm'),
    ];
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers.get('retry-after')).toBe('1');
    expect(refused?.headers.get('content-type')).toBe('application/problem+json');
    expect(refused?.body).toMatchObject({ type: 'urn:daybell:problem:too-many-requests' });
    expect((await listAs('ops')).status).toBe(200);
    await slow.database.drop();
  });

  test('also uses up its share with requests that it may not make', async () => {
    const slow = await createTestApi({
      apiKeys: [apiKey('crm', ['users:read'])],
      maxPerSecond: 1,
    });
    const create = () => slow.send('POST', '/v1/users', ADA, bearer('crm'));
    const statuses = [];
    for (let sent = 0; sent < 4; sent++) statuses.push((await create()).status);
    expect(statuses.slice(0, 2)).toEqual([403, 403]);
    expect(statuses).toContain(429);
    await slow.database.drop();
  });
});

describe('an API without keys', () => {
  let open: TestApi;
  beforeAll(async () => {
    open = await createTestApi({ apiKeys: [] });
  });
  afterAll(() => open.database.drop());

  const ask = async (method: string, url: string, headers: Record<string, string> = {}) =>
    (await open.app.request(url, { method, headers })).status;

  test('accepts any name of this machine, even from a page that is on it', async () => {
    for (const host of [
      'localhost:3000',
      'LOCALHOST',
      'localhost.',
      '127.0.0.1:3000',
      '[::1]:3000',
    ]) {
      expect(await ask('GET', `http://${host}/v1/users`)).toBe(200);
    }
    const origin = { Origin: 'http://localhost:5173' };
    expect(await ask('POST', 'http://localhost:3000/v1/deliveries/resume', origin)).toBe(200);
  });

  test('refuses a page whose name was made to resolve to this machine', async () => {
    for (const host of ['elsewhere.example:3000', 'localhost.elsewhere.example', '192.0.2.1']) {
      const answer = await open.app.request(`http://${host}/v1/users`);
      expect(answer.status).toBe(403);
      expect(await answer.json()).toMatchObject({ type: 'urn:daybell:problem:not-this-machine' });
      expect(await ask('GET', `http://${host}/healthz`)).toBe(200);
    }
  });

  // A page of any origin may send this without a preflight: a POST without a body.
  test.for(['https://elsewhere.example', 'http://localhost.elsewhere.example', 'null'])(
    'refuses changes from a page of %s',
    async (origin) => {
      for (const path of ['/v1/deliveries/pause', '/v1/webhook/test']) {
        expect(await ask('POST', `http://localhost:3000${path}`, { Origin: origin })).toBe(403);
      }
      const [paused] = await open.sql('select paused_at from events.destinations');
      expect(paused).toEqual({ paused_at: null });
    },
  );
});

test('an API without keys accepts requests with no key, with any key, and any number of them', async () => {
  const open = await createTestApi({ apiKeys: [], maxPerSecond: 1 });
  for (let sent = 0; sent < 20; sent++) {
    expect((await open.send('GET', '/v1/users')).status).toBe(200);
  }
  expect((await open.send('GET', '/v1/users', undefined, bearer('nobody'))).status).toBe(200);
  await open.database.drop();
});
