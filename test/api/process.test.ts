import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';

import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { loadTzDatabase } from '../../src/platform/load-tz-database.ts';
import { ADA } from '../support/api.ts';
import { createEventRows } from '../support/event-rows.ts';
import { freePort } from '../support/free-port.ts';
import { useTestDatabase, withDatabase } from '../support/postgres.ts';
import { runProcess, type TestProcess, urlOf } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

const ENTRY = 'src/api/main.ts';

const database = useTestDatabase();

function run(settings: NodeJS.ProcessEnv, ipc = false): TestProcess {
  return runProcess(ENTRY, { DATABASE_URL: database.url, PORT: '0', ...settings }, ipc);
}

function start(settings: NodeJS.ProcessEnv = {}, ipc = false): TestProcess {
  return untilTestEnds(run(settings, ipc));
}

const postUser = (url: string, user: object) =>
  fetch(`${url}/v1/users`, {
    method: 'POST',
    body: JSON.stringify(user),
    headers: { 'Content-Type': 'application/json' },
  });

const readiness = async (url: string) => {
  const answer = await fetch(`${url}/readyz`);
  return { status: answer.status, body: (await answer.json()) as { checks: { name: string }[] } };
};

describe('the process api', () => {
  /** One for all tests; the last one stops it. */
  let api: TestProcess;
  let url: string;
  beforeAll(async () => {
    api = run({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
    url = await urlOf(api);
  });
  afterAll(() => api.stop('SIGKILL'));

  test('serves over a socket, without any Temporal, and is ready', async () => {
    const created = await postUser(url, ADA);
    expect(created.status).toBe(201);
    const read = await fetch(url + created.headers.get('location'));
    expect(await read.json()).toEqual(await created.json());

    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({
      ready: true,
      tzVersion: loadTzDatabase('newest').version,
      checks: [
        { name: 'process', ready: true },
        { name: 'database', ready: true },
        { name: 'migrations', ready: true },
      ],
      deliveries: { paused: false, pausedSince: null, slowed: null },
    });
  });

  test('begins a redelivery without any Temporal', async () => {
    const rows = createEventRows(database.orm);
    const key = await rows.addOccurrence(await rows.addUser(), { state: 'FAILED' });

    const begun = await fetch(`${url}/v1/occurrences/${key}/redeliver`, { method: 'POST' });

    expect(begun.status).toBe(202);
    expect((await rows.find(key)).state).toBe('PENDING');
    expect((await postUser(url, ADA)).status).toBe(201);
    expect((await readiness(url)).status).toBe(200);
  });

  test('refuses a body over 64 KB that arrives in chunks without a length', async () => {
    const text = JSON.stringify({ ...ADA, lastName: 'x'.repeat(200_000) });
    const answer = await fetch(`${url}/v1/users`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: new Blob([text]).stream(),
      duplex: 'half',
    } as RequestInit);
    expect(answer.status).toBe(413);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  });

  test('answers bytes that are not HTTP with 400, and continues', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.end('nonsense\r\n\r\n');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test('reports that the port is taken, and ends', async () => {
    const taken = await serve();
    const port = String((taken.address() as AddressInfo).port);
    const api = start({ PORT: port });
    expect(await api.exited).toBe(1);
    expect(api.lines.join('\n')).toMatch(
      `Cannot listen on 127.0.0.1:${port}: another program does`,
    );
    taken.close();
  });

  test('ends when DATABASE_URL is not set', async () => {
    const api = start({ DATABASE_URL: '' });
    expect(await api.exited).not.toBe(0);
    expect(api.lines.join('\n')).toMatch('DATABASE_URL');
  });

  test('completes an open request before it stops', async () => {
    const { id } = (await (await postUser(url, ADA)).json()) as { id: string };
    const blocker = new pg.Client({ connectionString: database.url });
    await blocker.connect();
    await blocker.query('begin');
    await blocker.query('select 1 from users.users where id = $1 for update', [id]);

    const change = fetch(`${url}/v1/users/${id}`, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ lastName: 'King' }),
    });
    await waitUntilBlocked(blocker);
    api.child.kill('SIGTERM');
    await api.line(/"stopping"/);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow('fetch failed');
    await blocker.query('commit');
    await blocker.end();
    expect((await change).status).toBe(200);
    // No other request may come on a connection that is about to be closed.
    expect((await change).headers.get('connection')).toBe('close');
    expect(await api.exited).toBe(0);
  });
});

describe('being ready', () => {
  test('requires that migrations have run', async () => {
    const admin = inject('postgresAdminUrl');
    const { url } = await startWithout(withDatabase(admin, 'postgres'));
    const { status, body } = await readiness(url);
    expect(status).toBe(503);
    expect(body.checks).toEqual([
      { name: 'process', ready: false, detail: 'starting' },
      { name: 'database', ready: true },
      { name: 'migrations', ready: false, detail: expect.stringMatching(/npm run migrate/) },
    ]);
  });

  test('requires the database; without it, the process stays alive, and does not reveal its address', async () => {
    const away = 'postgresql://daybell:hunter2@127.0.0.1:1/daybell';
    const { api, url } = await startWithout(away);
    const { status, body } = await readiness(url);
    expect(status).toBe(503);
    expect(body.checks).toMatchObject([
      { name: 'process', ready: false },
      { name: 'database', ready: false },
      { name: 'migrations', ready: false },
    ]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const failed = await postUser(url, ADA);
    expect(failed.status).toBe(503);
    expect(failed.headers.get('content-type')).toBe('application/problem+json');
    expect(failed.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await failed.text()).not.toMatch(/ECONN|127\.0\.0\.1|hunter2/);
    expect(api.lines.join('\n')).not.toMatch(/hunter2|Lovelace/);
  });

  test('requires, under a supervisor, that all of its children are ready', async () => {
    const api = start({}, true);
    const url = await urlOf(api);
    const checksOf = async () => {
      const { status, body } = await readiness(url);
      return { status, processes: body.checks.slice(3) };
    };
    expect(await checksOf()).toEqual({
      status: 503,
      processes: [{ name: 'processes', ready: false, detail: 'starting' }],
    });
    await tell(api, { type: 'children', children: { api: 'ready', scheduler: 'starting' } });
    await expect.poll(checksOf).toEqual({
      status: 503,
      processes: [
        { name: 'api', ready: true },
        { name: 'scheduler', ready: false, detail: 'starting' },
      ],
    });
    await tell(api, { type: 'children', children: { api: 'ready', scheduler: 'ready' } });
    await expect.poll(async () => (await checksOf()).status).toBe(200);
    await tell(api, { type: 'children', children: { api: 'ready', scheduler: 'down' } });
    await expect.poll(async () => (await checksOf()).status).toBe(503);
  });
});

/** While its database is not usable, it serves its port without announcing it. */
async function startWithout(DATABASE_URL: string) {
  const port = await freePort();
  const api = start({ DATABASE_URL, PORT: String(port) });
  await api.line(/waiting for the database/);
  return { api, url: `http://127.0.0.1:${port}` };
}

function tell(api: TestProcess, message: object): Promise<void> {
  return new Promise((resolve, reject) => {
    api.child.send(message, (error) => (error === null ? resolve() : reject(error)));
  });
}

async function serve(): Promise<Server> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function waitUntilBlocked(client: pg.Client): Promise<void> {
  const blocked = async () => {
    const { rows } = await client.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length;
  };
  await expect.poll(blocked, { timeout: 60_000 }).toBeGreaterThan(0);
}
