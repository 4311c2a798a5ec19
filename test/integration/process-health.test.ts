/** What each process reports of itself on METRICS_PORT, for its supervisor. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import { describe, expect, onTestFinished, test } from 'vitest';

import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createEmptyDatabase, runSql, useTestDatabase, withDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess, type TestProcess, urlOf } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

const database = useTestDatabase();

/** With no Temporal anywhere, which only a worker waits for. */
function start(entry: string, settings: NodeJS.ProcessEnv = {}): TestProcess {
  const given = {
    PORT: '0',
    METRICS_PORT: '0',
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    WEBHOOK_URL: 'https://greetings.example/',
    WEBHOOK_SECRETS: newWebhookSecret(),
    ...settings,
  };
  return untilTestEnds(runProcess(entry, given));
}

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
  test.for(['src/planning/main.ts', 'src/delivery/main.ts'])(
    '%s lives, and is ready',
    async (entry) => {
      const running = start(entry);
      await running.line(/"msg":"ready"/);
      expect(await ask(running, '/healthz')).toEqual({ status: 200, body: { status: 'ok' } });
      expect(await ask(running, '/readyz')).toEqual({
        status: 200,
        body: { ready: true, checks: [process, ...usable] },
      });
    },
  );

  test.for([ENTRIES.api, ENTRIES.scheduler])(
    '%s works without Temporal, and says that it is away',
    async (entry) => {
      const running = start(entry);
      await running.line(/"msg":"ready"/);
      expect(await running.line(/Temporal does not answer/)).toContain('127.0.0.1:1');
    },
  );

  test('a worker that waits for Temporal lives, and is not ready', async () => {
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

  test('an API answers there as it does in public, and requires no key', async () => {
    const { entry } = newApiKey('crm', ['users:read']);
    const api = start('src/api/main.ts', { API_KEYS: entry });
    await api.line(/"msg":"ready"/);
    expect(await ask(api, '/readyz')).toEqual({
      status: 200,
      body: { ready: true, checks: [process, ...usable] },
    });
    expect(await ask(api, '/healthz')).toMatchObject({ status: 200 });
  });
});

const SERVICES = [ENTRIES.api, ENTRIES.scheduler, ENTRIES.dispatcher, ENTRIES.worker];

/** A URL of the test's database with something else in it. */
function changed(change: (url: URL) => unknown): string {
  const url = new URL(database.url);
  change(url);
  return url.href;
}

/** What all processes say that wait for this database: they live, and are not ready. */
async function waitingFor(DATABASE_URL: string) {
  const processes = SERVICES.map((entry) => start(entry, { DATABASE_URL }));
  return Promise.all(
    processes.map(async (running) => {
      const log = await running.line(/waiting for the database/);
      const alive = (await ask(running, '/healthz')).status;
      const { status, body } = await ask(running, '/readyz');
      return { log, alive, status, readyz: JSON.stringify(body), lines: running.lines.join('\n') };
    }),
  );
}

/** They wait, say why, and give away neither password nor address. */
function waiting(log: RegExp, readyz: RegExp): unknown[] {
  const said = {
    log: expect.stringMatching(log),
    alive: 200,
    status: 503,
    readyz: expect.stringMatching(new RegExp(`^(?!.*127\\.0\\.0\\.1).*${readyz.source}`)),
    lines: expect.not.stringMatching(/"msg":"ready"|hunter2/),
  };
  return SERVICES.map(() => said);
}

describe('a process whose database cannot be used lives, is not ready, and says why', () => {
  test.for<[string, (url: URL) => string, RegExp, RegExp]>([
    ['nothing listens there', (url) => (url.port = '1'), /ECONNREFUSED/, /nothing listens there/],
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
    expect(await waitingFor(changed(change))).toEqual(waiting(log, readyz));
  });

  test('one that has not been migrated, until it is', async () => {
    const { url: DATABASE_URL, drop } = await createEmptyDatabase();
    expect(await waitingFor(DATABASE_URL)).toEqual(
      waiting(/42P01/, /has not been migrated: npm run migrate/),
    );
    const scheduler = start(ENTRIES.scheduler, { DATABASE_URL });
    await scheduler.line(/waiting for the database/);
    await start(ENTRIES.migrate, { DATABASE_URL }).exited;
    await scheduler.line(/"msg":"ready"/);
    expect(await ask(scheduler, '/readyz')).toMatchObject({ status: 200 });
    await scheduler.stop();
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
    expect(await waitingFor(url)).toEqual(
      waiting(/"message":"permission denied for .*"code":"42501"/, /lacks a right .*roles\.sql/),
    );
    await runSql(
      database.url,
      `grant usage on schema users, events to ${role};
       grant select on all tables in schema public, users, events to ${role}`,
    );
    expect(await waitingFor(url)).toEqual(waiting(/may not write/, /may not write .*roles\.sql/));
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
    expect(await waitingFor(database.url)).toEqual(waiting(/read-only/, /read-only/));
  });
});

describe('a health check', () => {
  // Those of HAProxy and Nagios, without options, are of HTTP/1.0 and name no host.
  test('may be of HTTP/1.0, name any host or none, and use OPTIONS or HEAD, on both ports', async () => {
    const api = start('src/api/main.ts');
    await api.line(/"msg":"ready"/);
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
    const api = start('src/api/main.ts');
    const ask = (version: string, host: string) =>
      statusOf(api, 'listening', `GET /v1/users HTTP/${version}\r\nConnection: close${host}`);
    expect(await ask('1.0', '')).toBe(403);
    expect(await ask('1.1', '\r\nHost:')).toBe(403);
    expect(await ask('1.1', '\r\nHost: [0:0:0:0:0:0:0:2]')).toBe(403);
    expect(await ask('1.1', '\r\nHost: [0:0:0:0:0:0:0:1]:3000')).toBe(200);
    expect(await ask('1.1', '\r\nHost: localhost.:3000')).toBe(200);
  });

  test('is logged when what it finds changes, not each time', async () => {
    const api = start('src/api/main.ts', {
      DATABASE_URL: 'postgresql://daybell:hunter2@127.0.0.1:1/daybell',
    });
    const scheduler = start('src/planning/main.ts');
    await api.line(/waiting for the database/);
    await scheduler.line(/"msg":"ready"/);
    for (let times = 0; times < 3; times += 1) {
      for (const path of ['/healthz', '/readyz']) {
        await ask(api, path);
        await ask(scheduler, path);
      }
    }
    const messages = ({ lines }: TestProcess) =>
      lines.map((line) => JSON.parse(line)).filter(({ msg }) => /^(?:not )?ready/.test(msg));
    expect(messages(scheduler)).toMatchObject([{ msg: 'ready' }]);
    expect(messages(api)).toMatchObject([
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

describe('an idle connection', () => {
  test('is kept for longer than proxies keep it, or as long as a setting says', async () => {
    const hintOf = async (running: TestProcess, port: 'listening' | 'metrics') =>
      (await fetch(new URL('/healthz', await urlOf(running, port)))).headers.get('keep-alive');
    const [api, patient] = [
      start('src/api/main.ts'),
      start('src/api/main.ts', { HTTP_KEEP_ALIVE: '11m' }),
    ];
    expect(await hintOf(api, 'listening')).toBe('timeout=75');
    expect(await hintOf(api, 'metrics')).toBe('timeout=75');
    expect(await hintOf(patient, 'listening')).toBe('timeout=660');
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
