import { describe, expect, test } from 'vitest';

import type { ReadinessCheck } from '../../src/platform/probes.ts';
import { connectOrm } from '../../src/platform/database/orm.ts';
import { createUsers } from '../../src/users/users.ts';
import { ADA, createTestApi, useTestApi } from '../support/api.ts';
import { bundledTz } from '../support/tz-databases.ts';

let checks: readonly ReadinessCheck[] = [];
const api = useTestApi({ checks: async () => checks });

describe('an internal fault', () => {
  test('is a 500 with an id that is in the log, and no details, neither here nor there', async () => {
    // A real failure of the database, one whose message quotes the row.
    await api.sql('alter table users.users add constraint no_grace check (first_name <> ?)', [
      'Grace',
    ]);
    const before = await api.counts();
    const sent = { ...ADA, firstName: 'Grace', externalId: 'crm-secret' };
    const answer = await api.send('POST', '/v1/users', sent);
    expect(answer.status).toBe(500);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(JSON.stringify(answer.body)).not.toMatch(/no_grace|check|constraint|users|Grace/);
    expect(await api.counts()).toEqual(before);

    const { requestId } = answer.body;
    const lines = api.logged.filter((line) => line['requestId'] === requestId);
    expect(lines).toEqual([
      expect.objectContaining({
        msg: 'request failed',
        error: expect.objectContaining({ code: '23514', constraint: 'no_grace' }),
      }),
      expect.objectContaining({ msg: 'request', status: 500 }),
    ]);
    expect(JSON.stringify(api.logged)).not.toMatch(/Grace|crm-secret/);
  });
});

describe('a database without a free connection', () => {
  test('is a 503, and back to normal when it has one again', async () => {
    const orm = await connectOrm(api.database.url, { poolSize: 1 });
    const small = await createTestApi({
      users: createUsers(orm, { clock: Date.now, tz: bundledTz }),
    });
    const list = () => small.send('GET', '/v1/users');
    await orm.em.fork().transactional(async (em) => {
      await em.execute('select 1');
      expect(await list()).toMatchObject({
        status: 503,
        body: { type: 'urn:daybell:problem:unavailable' },
      });
    });
    expect((await list()).status).toBe(200);
    await orm.close(true);
    await small.database.drop();
  });
});

describe('a body that breaks off', () => {
  test('is not an internal fault', async () => {
    const body = new ReadableStream({
      start: (controller) => controller.error(Object.assign(new Error(), { code: 'ECONNRESET' })),
    });
    const headers = { 'Content-Type': 'application/json' };
    const request = { method: 'POST', headers, body, duplex: 'half' };
    const from = api.logged.length;
    expect((await api.app.request('/v1/users', request as RequestInit)).status).toBe(400);
    expect(api.logged.slice(from)).toMatchObject([{ msg: 'request', status: 400 }]);
  });
});

describe('the log', () => {
  test('has one line for each request, with its id and route, and no personal data', async () => {
    const { body } = await api.send('POST', '/v1/users', { ...ADA, externalId: 'crm-private' });
    const from = api.logged.length;
    await api.send('GET', '/v1/users?externalId=crm-private');
    await api.send('PATCH', `/v1/users/${body.id}`, { lastName: 'Private' });
    await api.send('PATCH', `/v1/users/${body.id}`, { lastName: '\u0000Private' });
    await api.send('GET', '/crm-private');
    const lines = api.logged.slice(from);
    expect(lines).toMatchObject([
      { method: 'GET', route: '/v1/users', status: 200 },
      { method: 'PATCH', route: '/v1/users/:id', status: 200 },
      { method: 'PATCH', route: '/v1/users/:id', status: 400 },
      { method: 'GET', status: 404 },
    ]);
    for (const line of lines) {
      expect(line).toMatchObject({ requestId: expect.any(String), durationMs: expect.any(Number) });
    }
    expect(JSON.stringify(lines)).not.toMatch(/private/i);
  });
});

describe('a probe', () => {
  const probe = async (): Promise<object[]> => {
    const from = api.logged.length;
    for (const path of ['/healthz', '/readyz', '/readyz', '/metrics']) await api.send('GET', path);
    await api.send('OPTIONS', '/readyz');
    return api.logged.slice(from);
  };

  test('is not in the log; its result is, once for each change', async () => {
    const WARN = 40;
    checks = [{ name: 'database', ready: true }];
    expect(await probe()).toEqual([]);
    checks = [{ name: 'database', ready: false, detail: 'does not answer' }];
    expect(await probe()).toMatchObject([{ level: WARN, msg: 'not ready', failed: checks }]);
    expect(await probe()).toEqual([]);
    checks = [{ name: 'database', ready: true }];
    expect(await probe()).toMatchObject([{ msg: 'ready again' }]);
  });

  test('with OPTIONS is answered like one with GET', async () => {
    for (const ready of [true, false]) {
      checks = [{ name: 'scheduler', ready }];
      const [got, asked] = [await api.send('GET', '/readyz'), await api.send('OPTIONS', '/readyz')];
      expect([asked.status, asked.body]).toEqual([got.status, got.body]);
    }
    expect(await api.send('OPTIONS', '/healthz')).toMatchObject({ status: 200 });
  });
});

describe('health', () => {
  test('means that the process is alive', async () => {
    expect(await api.send('GET', '/healthz')).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    });
  });

  test('includes being ready if every check passes', async () => {
    checks = [{ name: 'database', ready: true }];
    const answer = await api.send('GET', '/readyz');
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ ready: true, tzVersion: bundledTz.version, checks });
  });

  test('excludes being ready if one fails, and says which', async () => {
    checks = [
      { name: 'database', ready: true },
      { name: 'scheduler', ready: false, detail: 'down' },
    ];
    const answer = await api.send('GET', '/readyz');
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({ ready: false, tzVersion: bundledTz.version, checks });
  });
});
