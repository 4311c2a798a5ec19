/** Who changed what, as shown by GET /v1/operator-log. */
import { randomUUID } from 'node:crypto';

import { beforeEach, describe, expect, test } from 'vitest';

import { SCOPES } from '../../src/access/api-key.ts';
import { hashToken } from '../../src/access/bearer.ts';
import type { ApiEnv } from '../../src/api/deps.ts';
import { createOperatorLog, pageSql } from '../../src/operator-log/operator-log.ts';
import { ADA, createTestApi, readAnswer, useTestApi } from '../support/api.ts';
import { explainRows } from '../support/explain.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

const KEY = { name: 'ops', scopes: SCOPES, sha256: hashToken('daybell_ops') };
const OPS = { Authorization: 'Bearer daybell_ops' };

const api = useTestApi({ apiKeys: [KEY] });
beforeEach(() => api.sql('truncate events.operator_log restart identity'));

const send = (method: string, path: string, body?: unknown) => api.send(method, path, body, OPS);
const list = async (query = '') => (await send('GET', `/v1/operator-log${query}`)).body;
const entries = async () => (await list()).entries;

/** As the console calls it: in process, with the session's key in the env. */
async function fromConsole(method: string, path: string, body?: unknown, key = KEY) {
  const headers = { ...OPS, 'Content-Type': 'application/json' };
  const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
  const env: ApiEnv['Bindings'] = { console: { key } };
  return readAnswer(await api.app.request(path, init, env));
}

describe('by the API', () => {
  test('a pause and a resume are recorded, with who, why, how many waited and the outcome', async () => {
    const before = Date.now();
    await send('POST', '/v1/deliveries/pause?destination=default', { reason: 'ticket 4711' });
    await send('POST', '/v1/deliveries/resume');
    const waiting = { due: 0, retrying: 0, sending: 0, tooLate: 0, firstTooLateAt: null };
    const common = {
      id: expect.stringMatching(/^\d+$/),
      at: expect.any(String),
      actor: 'ops',
      via: 'api',
      outcome: 200,
    };
    const [resumed, paused] = await entries();
    expect(resumed).toEqual({
      ...common,
      action: 'resumeDeliveries',
      subject: null,
      detail: { waiting },
    });
    expect(paused).toEqual({
      ...common,
      action: 'pauseDeliveries',
      subject: 'default',
      detail: { reason: 'ticket 4711', waiting },
    });
    expect(Date.parse(paused.at)).toBeGreaterThanOrEqual(before - 1);
    expect(Date.parse(resumed.at)).toBeGreaterThanOrEqual(Date.parse(paused.at));
  });

  test('a redelivery is recorded with the occurrence, even if it is refused', async () => {
    const { body: user } = await send('POST', '/v1/users', ADA);
    const key = await plantOccurrence(api.sql, { user_id: user.id, state: 'FAILED' });
    expect((await send('POST', `/v1/occurrences/${key}/redeliver`)).status).toBe(202);
    const again = `/v1/occurrences/${encodeURIComponent(key)}/redeliver`;
    expect((await send('POST', again, { force: true })).status).toBe(409);
    const action = 'redeliverOccurrence';
    expect(await entries()).toMatchObject([
      { action, subject: key, detail: { force: true }, outcome: 409 },
      { action, subject: key, detail: { force: false }, outcome: 202 },
    ]);
  });

  test('a redelivery by filter is recorded with the filter and the count; its dry run is not', async () => {
    const path = '/v1/occurrences/redeliver';
    const filter = { status: 'FAILED', from: '2026-05-20T00:00:00Z', to: '2026-05-21T00:00:00Z' };
    expect((await send('POST', path, { ...filter, dryRun: true })).status).toBe(200);
    expect(await entries()).toEqual([]);
    const userId = randomUUID();
    expect((await send('POST', path, filter)).status).toBe(202);
    expect((await send('POST', path, { userId })).status).toBe(202);
    const action = 'redeliverOccurrences';
    expect(await entries()).toMatchObject([
      { action, subject: userId, detail: { filter: { userId }, redelivered: 0 }, outcome: 202 },
      {
        action,
        subject: null,
        detail: {
          filter: {
            status: 'FAILED',
            from: '2026-05-20T00:00:00.000Z',
            to: '2026-05-21T00:00:00.000Z',
          },
          redelivered: 0,
        },
      },
    ]);
  });

  test('settings of an occasion type are recorded without the message', async () => {
    const input = { message: 'Hey {firstName}', lateLimit: '12h' };
    expect((await send('PUT', '/v1/occasion-types/renewal', input)).status).toBe(200);
    const [entry] = await entries();
    expect(entry).toMatchObject({
      action: 'setOccasionType',
      subject: 'renewal',
      detail: { lateLimitMs: 12 * 3_600_000, revision: 1 },
      outcome: 200,
    });
    expect(JSON.stringify(entry)).not.toContain('Hey');
  });

  test('an import is recorded with its counts once it has ended, and without an outcome before', async () => {
    const file = 'externalId,firstName,lastName,dateOfBirth,timezone\n';
    const row = 'op-1,Ada,Lovelace,1990-12-10,Europe/London\n';
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const encoder = new TextEncoder();
    void writer.write(encoder.encode(file + row));
    const response = await api.app.request('/v1/imports', {
      method: 'POST',
      headers: { ...OPS, 'Content-Type': 'text/csv' },
      body: readable,
      duplex: 'half',
    } as RequestInit);
    expect(await entries()).toMatchObject([{ action: 'importUsers', outcome: null }]);
    await writer.write(encoder.encode('op-2,Ada,,never,Europe/London\n'));
    await writer.close();
    await response.text();
    expect(await entries()).toMatchObject([
      {
        action: 'importUsers',
        actor: 'ops',
        detail: {
          sync: false,
          rows: 2,
          refused: 1,
          users: { created: 1, updated: 0, unchanged: 0 },
          deleted: 0,
          ended: true,
        },
        outcome: 200,
      },
    ]);
  });

  test("a dry run of an import is not recorded, and neither are reads and clients' changes", async () => {
    const init = { method: 'POST', headers: { ...OPS, 'Content-Type': 'text/csv' }, body: '' };
    await (await api.app.request('/v1/imports?dryRun=true', init)).text();
    const { body } = await send('POST', '/v1/users', ADA);
    await send('PATCH', `/v1/users/${body.id}`, { lastName: 'King' });
    await send('GET', '/v1/deliveries');
    await send('POST', '/v1/occurrences/preview', { dateOfBirth: '1990-05-20', timezone: 'UTC' });
    expect(await entries()).toEqual([]);
  });

  test('refused requests are not recorded', async () => {
    expect((await api.send('POST', '/v1/deliveries/pause')).status).toBe(401);
    expect(await entries()).toEqual([]);
  });
});

describe('through the console', () => {
  test('every change is recorded, with the user but without the data', async () => {
    const created = await fromConsole('POST', '/v1/users', { ...ADA, externalId: 'crm-console' });
    const { id } = created.body;
    await fromConsole('PATCH', `/v1/users/${id.toUpperCase()}`, { lastName: 'Kingsley' });
    await fromConsole('PATCH', '/v1/users/external/crm-console', { lastName: 'Countess' });
    const occasion = { type: 'reminder', date: '2027-01-31', recurrence: 'monthly' };
    await fromConsole('POST', `/v1/users/${id}/occasions`, occasion);
    await fromConsole('POST', '/v1/deliveries/resume');
    await fromConsole('DELETE', `/v1/users/${id}`);
    const all = await entries();
    expect(all.toReversed()).toMatchObject([
      { action: 'createUser', subject: id, outcome: 201 },
      { action: 'updateUser', subject: id, outcome: 200 },
      { action: 'updateUserByExternalId', subject: null, outcome: 200 },
      { action: 'createOccasion', subject: id, outcome: 201 },
      { action: 'resumeDeliveries', subject: null, outcome: 200 },
      { action: 'deleteUser', subject: id, outcome: 204 },
    ]);
    for (const entry of all) expect(entry).toMatchObject({ via: 'console', actor: 'ops' });
    expect(JSON.stringify(all)).not.toMatch(/Ada|Kingsley|Countess|crm-console|1990|2027/);
  });

  test('reads and previews are not recorded', async () => {
    await fromConsole('GET', '/v1/users');
    const preview = { dateOfBirth: '1990-05-20', timezone: 'UTC' };
    expect((await fromConsole('POST', '/v1/occurrences/preview', preview)).status).toBe(200);
    expect(await entries()).toEqual([]);
  });
});

test('text in a path that names nothing known is not stored', async () => {
  for (const path of ['/v1/users/Ada%20Lovelace', '/v1/users/%FF', '/v1/users/Lovelace']) {
    expect((await fromConsole('DELETE', path)).status).toBe(404);
  }
  await send('POST', '/v1/deliveries/pause?destination=Ada%20Lovelace');
  const all = await entries();
  expect(all).toHaveLength(4);
  for (const entry of all) expect(entry).toMatchObject({ subject: null, detail: {} });
});

test('without keys there is no actor', async () => {
  const open = await createTestApi({ apiKeys: [] });
  await open.send('POST', '/v1/deliveries/resume');
  const { body } = await open.send('GET', '/v1/operator-log');
  expect(body.entries).toMatchObject([{ actor: null, via: 'api', outcome: 200 }]);
  await open.database.drop();
});

test('a change that cannot be logged is refused, and not made', async () => {
  await api.sql('alter table events.operator_log rename to operator_log_away');
  expect((await send('POST', '/v1/deliveries/pause')).status).toBe(500);
  await api.sql('alter table events.operator_log_away rename to operator_log');
  expect((await send('GET', '/v1/deliveries')).body).toMatchObject({ paused: false });
  expect(await entries()).toEqual([]);
});

test('a change whose outcome cannot be recorded is still made, and the process log says so', async () => {
  const { orm } = api.database;
  const operatorLog = { ...createOperatorLog(orm), close: () => Promise.reject(new Error('away')) };
  const failing = await createTestApi({ operatorLog });
  const answer = await failing.send('POST', '/v1/deliveries/pause');
  expect(answer.body).toMatchObject({ paused: true });
  expect(failing.logged).toContainEqual(
    expect.objectContaining({ msg: 'an entry of the operator log could not be completed' }),
  );
  expect(await entries()).toMatchObject([{ action: 'pauseDeliveries', outcome: null }]);
  await failing.database.drop();
});

describe('the list', () => {
  test('can be filtered by subject, actor and time', async () => {
    const log = createOperatorLog(api.database.orm);
    const open = (actor: string, subject: string) =>
      log.open({ actor, via: 'api', action: 'resumeDeliveries', subject });
    const ids = [await open('ops', 'crm'), await open('jo', 'crm'), await open('ops', 'default')];
    for (const [index, id] of ids.entries()) {
      await api.sql('update events.operator_log set at = ? where id = ?', [
        `2026-05-2${index}T12:00:00Z`,
        id,
      ]);
    }
    const found = async (query: string) =>
      (await list(query)).entries.map(({ id }: { id: string }) => ids.indexOf(id));
    expect(await found('')).toEqual([2, 1, 0]);
    expect(await found('?subject=crm')).toEqual([1, 0]);
    expect(await found('?actor=ops')).toEqual([2, 0]);
    expect(await found('?actor=ops&subject=crm')).toEqual([0]);
    expect(await found('?from=2026-05-21T12:00:00Z')).toEqual([2, 1]);
    expect(await found('?to=2026-05-21T12:00:00Z')).toEqual([0]);
    expect(await found('?actor=nobody')).toEqual([]);
  });

  test('has pages that neither repeat nor omit entries, even of one instant', async () => {
    const log = createOperatorLog(api.database.orm);
    const ids: string[] = [];
    // More than nine, so that ids have different lengths.
    for (let count = 0; count < 12; count++) {
      const change = {
        actor: null,
        via: 'api',
        action: 'resumeDeliveries',
        subject: null,
      } as const;
      ids.push(await log.open(change));
    }
    await api.sql('update events.operator_log set at = ?', ['2026-05-20T12:00:00.123456Z']);
    const seen: string[] = [];
    let cursor = '';
    do {
      const { entries: page, nextCursor } = await list(`?limit=5${cursor}`);
      seen.push(...page.map(({ id }: { id: string }) => id));
      cursor = nextCursor === null ? '' : `&cursor=${nextCursor}`;
    } while (cursor !== '');
    expect(seen).toEqual(ids.toReversed());
  });

  test('reads no more entries than it shows, however many there are', async () => {
    await api.sql(
      `insert into events.operator_log (at, actor, via, action, subject)
       select '2026-01-01'::timestamptz + n * interval '1 minute', 'key-' || n % 50, 'api',
         'resumeDeliveries', 'destination-' || n % 50
       from generate_series(1, 20000) as n`,
    );
    await api.sql('analyze events.operator_log');
    const [middle] = await api.sql<{ id: string }>(
      'select id::text from events.operator_log order by id offset 10000 limit 1',
    );
    const none = { subject: null, actor: null, from: null, to: null };
    const filters = [
      none,
      { ...none, subject: 'destination-7' },
      { ...none, actor: 'key-7' },
      { ...none, from: Date.UTC(2026, 0, 2), to: Date.UTC(2026, 0, 3) },
    ];
    for (const filter of filters) {
      for (const after of [null, middle?.id ?? null]) {
        const sql = pageSql(filter, after, 50);
        const { readRows } = await explainRows(api.database.orm, sql, { ...filter, after });
        expect({ filter, after, isBounded: readRows <= 50 }).toMatchObject({ isBounded: true });
      }
    }
  });

  test.for([
    ['?subject=%00', 'subject'],
    ['?actor=' + 'x'.repeat(201), 'actor'],
    ['?from=yesterday', 'from'],
    ['?from=2026-05-21T00:00:00Z&to=2026-05-21T00:00:00Z', 'to'],
    ['?cursor=xyz', 'cursor'],
    ['?limit=0', 'limit'],
    ['?who=ops', 'who'],
  ])('%s is 400', async ([query, field]) => {
    const answer = await send('GET', `/v1/operator-log${query}`);
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toMatchObject([{ field }]);
  });
});
