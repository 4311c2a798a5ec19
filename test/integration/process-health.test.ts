/** What each process reports about itself on METRICS_PORT, for its supervisor. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createEmptyDatabase, runSql, useTestDatabase, withDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess, type TestProcess, urlOf } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

const database = useTestDatabase();

/** With no Temporal anywhere, which only a worker waits for. */
const settingsWith = (settings: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  PORT: '0',
  METRICS_PORT: '0',
  DATABASE_URL: database.url,
  TEMPORAL_ADDRESS: '127.0.0.1:1',
  WEBHOOK_URL: 'https://greetings.example/',
  WEBHOOK_SECRETS: newWebhookSecret(),
  ...settings,
});

const start = (entry: string, settings: NodeJS.ProcessEnv = {}): TestProcess =>
  untilTestEnds(runProcess(entry, settingsWith(settings)));

async function ask(running: TestProcess, path: string): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(new URL(path, await urlOf(running, 'metrics')));
  return { status: answer.status, body: await answer.json() };
}

const usable = [
  { name: 'database', ready: true },
  { name: 'migrations', ready: true },
];
const process = { name: 'process', ready: true };

describe('a process on its own port', () => {
  test.for([ENTRIES.scheduler, ENTRIES.dispatcher])('%s lives, and is ready', async (entry) => {
    const running = start(entry);
    await running.line(/"msg":"ready"/);
    expect(await ask(running, '/healthz')).toEqual({ status: 200, body: { status: 'ok' } });
    expect(await ask(running, '/readyz')).toEqual({
      status: 200,
      body: { ready: true, checks: [process, ...usable] },
    });
    // The dispatcher does not talk to it.
    if (entry === ENTRIES.scheduler) {
      expect(await running.line(/Temporal does not answer/)).toContain('127.0.0.1:1');
    }
  });

  test('a worker that waits for Temporal is alive, but not ready', async () => {
    const worker = start('src/worker/main.ts', { WORKER_ROLE: 'activities' });
    await worker.line(/waiting for Temporal/);
    expect(await ask(worker, '/healthz')).toMatchObject({ status: 200 });
    expect(await ask(worker, '/readyz')).toEqual({
      status: 503,
      body: {
        ready: false,
        checks: [
          { name: 'process', ready: false, detail: 'starting' },
          ...usable,
          { name: 'temporal', ready: false, detail: expect.stringContaining('does not answer') },
        ],
      },
    });
  });

  test('an API answers there as on its public port, and requires no key', async () => {
    const { entry } = newApiKey('crm', ['users:read']);
    const api = start('src/api/main.ts', { API_KEYS: entry });
    await api.line(/"msg":"ready"/);
    expect(await ask(api, '/readyz')).toEqual({
      status: 200,
      body: { ready: true, checks: [process, ...usable] },
    });
    expect(await ask(api, '/healthz')).toMatchObject({ status: 200 });
    expect(await api.line(/Temporal does not answer/)).toContain('127.0.0.1:1');
  });
});

const SERVICES = [ENTRIES.api, ENTRIES.scheduler, ENTRIES.dispatcher, ENTRIES.worker];

/** A URL of the test's database with one part replaced. */
function changed(change: (url: URL) => unknown): string {
  const url = new URL(database.url);
  change(url);
  return url.href;
}

/** What a process says that waits for its database: it lives, and is not ready. */
async function waitOf(running: TestProcess) {
  const log = await running.line(/waiting for the database/);
  const alive = (await ask(running, '/healthz')).status;
  const { status, body } = await ask(running, '/readyz');
  return { log, alive, status, readyz: JSON.stringify(body), lines: running.lines.join('\n') };
}

/** The least of them: all wait for it in the same way. */
const dispatcherOn = (DATABASE_URL: string) => start(ENTRIES.dispatcher, { DATABASE_URL });

/** It waits, says why, and gives away neither password nor address. */
function waiting(log: RegExp, readyz: RegExp): object {
  return {
    log: expect.stringMatching(log),
    alive: 200,
    status: 503,
    readyz: expect.stringMatching(new RegExp(`^(?!.*127\\.0\\.0\\.1).*${readyz.source}`)),
    lines: expect.not.stringMatching(/"msg":"ready"|hunter2/),
  };
}

describe('a process whose database cannot be used lives, is not ready, and says why', () => {
  test('nothing listens there: each of the processes', async () => {
    const DATABASE_URL = changed((url) => (url.port = '1'));
    const processes = SERVICES.map((entry) => start(entry, { DATABASE_URL }));
    const said = waiting(/ECONNREFUSED/, /nothing listens there/);
    expect(await Promise.all(processes.map(waitOf))).toEqual(SERVICES.map(() => said));
  });

  test.for<[string, (url: URL) => string, RegExp, RegExp]>([
    [
      'a wrong password',
      (url) => (url.password = 'hunter2'),
      /"message":"password authentication failed for user .*"code":"28P01"/,
      /refuses the password .*28P01/,
    ],
    [
      'no database of this name',
      (url) => (url.pathname = '/daybel'),
      /"message":"database \\"daybel\\" does not exist","code":"3D000"/,
      /no database of this name: npm run migrate -- --create creates it/,
    ],
  ])('%s', async ([, change, log, readyz]) => {
    expect(await waitOf(dispatcherOn(changed(change)))).toEqual(waiting(log, readyz));
  });

  test('one that has not been migrated, until it is', async () => {
    const { url: DATABASE_URL, drop } = await createEmptyDatabase();
    const dispatcher = dispatcherOn(DATABASE_URL);
    expect(await waitOf(dispatcher)).toEqual(
      waiting(/42P01/, /has not been migrated: npm run migrate/),
    );
    await start(ENTRIES.migrate, { DATABASE_URL }).exited;
    await dispatcher.line(/"msg":"ready"/);
    expect(await ask(dispatcher, '/readyz')).toMatchObject({ status: 200 });
    await dispatcher.stop();
    await drop();
  });

  test('a user who may not write its tables', async () => {
    const role = `reader_${randomUUID().replaceAll('-', '')}`;
    await runSql(database.url, `create role ${role} login password 'hunter2'`);
    onTestFinished(() => runSql(database.url, `drop owned by ${role}; drop role ${role}`));
    const url = changed((own) => {
      own.username = role;
      own.password = 'hunter2';
    });
    expect(await waitOf(dispatcherOn(url))).toEqual(
      waiting(/"message":"permission denied for .*"code":"42501"/, /lacks a right .*roles\.sql/),
    );
    await runSql(
      database.url,
      `grant usage on schema users, events to ${role};
       grant select on all tables in schema public, users, events to ${role}`,
    );
    expect(await waitOf(dispatcherOn(url))).toEqual(
      waiting(/may not write/, /may not write .*roles\.sql/),
    );
  });

  test('a standby', async () => {
    const name = new URL(database.url).pathname.slice(1);
    await runSql(database.url, `alter database ${name} set default_transaction_read_only = on`);
    onTestFinished(() =>
      runSql(
        withDatabase(database.url, 'postgres'),
        `alter database ${name} reset default_transaction_read_only`,
      ),
    );
    expect(await waitOf(dispatcherOn(database.url))).toEqual(waiting(/read-only/, /read-only/));
  });
});

describe('a health check', () => {
  let api: TestProcess;
  beforeAll(async () => {
    api = runProcess(ENTRIES.api, settingsWith({}));
    await api.line(/"msg":"ready"/);
  });
  afterAll(() => api.stop('SIGKILL'));

  // Those of HAProxy and Nagios, without options, are of HTTP/1.0 and name no host.
  test('may be of HTTP/1.0, name any host or none, and use OPTIONS or HEAD, on both ports', async () => {
    const answered: Record<string, number> = {};
    for (const port of ['listening', 'metrics'] as const) {
      for (const path of ['/healthz', '/readyz']) {
        for (const asked of [
          ...['GET', 'HEAD', 'OPTIONS'].map((method) => `${method} ${path} HTTP/1.0`),
          ...['', 'balancer.example', 'localhost.', '[0:0:0:0:0:0:0:1]:3000', '10.0.0.7:9464'].map(
            (host) => `GET ${path} HTTP/1.1\r\nConnection: close\r\nHost: ${host}`,
          ),
        ]) {
          answered[`${port} ${asked}`] = await statusOf(api, port, asked);
        }
      }
    }
    expect(Object.values(answered)).toHaveLength(32);
    expect(Object.entries(answered).filter(([, status]) => status !== 200)).toEqual([]);
  });

  test('is no way into an API without keys: that must be named as this machine', async () => {
    const ask = (version: string, host: string) =>
      statusOf(api, 'listening', `GET /v1/users HTTP/${version}\r\nConnection: close${host}`);
    expect(await ask('1.0', '')).toBe(403);
    expect(await ask('1.1', '\r\nHost:')).toBe(403);
    expect(await ask('1.1', '\r\nHost: [0:0:0:0:0:0:0:2]')).toBe(403);
    expect(await ask('1.1', '\r\nHost: [0:0:0:0:0:0:0:1]:3000')).toBe(200);
    expect(await ask('1.1', '\r\nHost: localhost.:3000')).toBe(200);
  });

  test('leaves its connection open for longer than proxies do, or as long as a setting says', async () => {
    const hintOf = async (running: TestProcess, port: 'listening' | 'metrics') =>
      (await fetch(new URL('/healthz', await urlOf(running, port)))).headers.get('keep-alive');
    const patient = start(ENTRIES.api, { HTTP_KEEP_ALIVE: '11m' });
    expect(await hintOf(api, 'listening')).toBe('timeout=75');
    expect(await hintOf(api, 'metrics')).toBe('timeout=75');
    expect(await hintOf(patient, 'listening')).toBe('timeout=660');
  });

  test('is logged when what it finds changes, not each time', async () => {
    const waits = dispatcherOn('postgresql://daybell:hunter2@127.0.0.1:1/daybell');
    const isReady = start(ENTRIES.dispatcher);
    await waits.line(/waiting for the database/);
    await isReady.line(/"msg":"ready"/);
    for (let times = 0; times < 3; times += 1) {
      for (const path of ['/healthz', '/readyz']) {
        await ask(waits, path);
        await ask(isReady, path);
      }
    }
    const messages = ({ lines }: TestProcess) =>
      lines.map((line) => JSON.parse(line)).filter(({ msg }) => /^(?:not )?ready/.test(msg));
    expect(messages(isReady)).toMatchObject([{ msg: 'ready' }]);
    expect(messages(waits)).toMatchObject([
      {
        level: 'warn',
        msg: 'not ready',
        failed: expect.arrayContaining([
          expect.objectContaining({ name: 'database', detail: expect.any(String) }),
        ]),
      },
    ]);
  });
});

/** Asks over a socket, in other words than fetch has. */
async function statusOf(
  running: TestProcess,
  port: 'listening' | 'metrics',
  head: string,
): Promise<number> {
  const url = new URL(await urlOf(running, port));
  const socket = connect(Number(url.port), url.hostname);
  socket.write(`${head}\r\n\r\n`);
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(await text(socket))?.[1]);
}
