/**
 * What every process refuses at its start, in whatever order servers come up, without writing
 * anything.
 */
import { randomUUID } from 'node:crypto';

import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest';

import { requireDatabase } from '../../src/platform/database/health.ts';
import { MIGRATIONS } from '../../src/platform/database/migrations.ts';
import { connectOrm } from '../../src/platform/database/orm.ts';
import { runMigrations } from '../../src/platform/database/run-migrations.ts';
import { InvalidSettingsError } from '../../src/platform/settings/settings.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { ADA, createTestApi } from '../support/api.ts';
import { freePort } from '../support/free-port.ts';
import {
  createTestDatabase,
  querySql,
  runSql,
  type TestDatabase,
  withDatabase,
} from '../support/postgres.ts';
import { ENTRIES, runProcess, type TestProcess } from '../support/process.ts';
import { type TestTemporal, uniqueTaskQueue, useDevServer } from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

const NAMES = Object.keys(ENTRIES) as (keyof typeof ENTRIES)[];
const SERVICES = NAMES.filter((name) => name !== 'migrate');
/** The dispatcher does not use Temporal. */
const ON_TEMPORAL = SERVICES.filter((name) => name !== 'dispatcher');
const EXIT_CONFIG = 78;
const QUIET = { waitMs: 0, onWaiting: () => {} };

function start(name: keyof typeof ENTRIES, settings: NodeJS.ProcessEnv): TestProcess {
  const given = {
    PORT: '0',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    WEBHOOK_URL: 'https://greetings.example/',
    WEBHOOK_SECRETS: newWebhookSecret(),
    ...settings,
  };
  return untilTestEnds(runProcess(ENTRIES[name], given));
}

async function refusalOf(running: TestProcess): Promise<string> {
  expect(await running.exited).toBe(EXIT_CONFIG);
  return running.lines.join('\n');
}

describe('a database that must not be used', () => {
  let url: string;
  beforeEach(async () => {
    const name = `stranger_${randomUUID().replaceAll('-', '')}`;
    await runSql(inject('postgresAdminUrl'), `create database ${name}`);
    url = withDatabase(inject('postgresAdminUrl'), name);
  });
  afterEach(async () => {
    const name = new URL(url).pathname.slice(1);
    await runSql(inject('postgresAdminUrl'), `drop database ${name} with (force)`);
  });

  test("another program's: every process says so, and nothing in it is touched", async () => {
    await runSql(
      url,
      `create schema users; create table users.accounts (id int); insert into users.accounts values (1)`,
    );
    const before = await contentsOf(url);

    const refusals = await Promise.all(
      NAMES.map((name) => refusalOf(start(name, { DATABASE_URL: url }))),
    );

    for (const said of refusals) {
      expect(said).toContain('DATABASE_URL: the database at');
      expect(said).toContain("is not Daybell's: it has something of its own in the schema users.");
      expect(said).not.toContain(new URL(url).password);
      expect(said).not.toContain('"ready"');
    }
    expect(await contentsOf(url)).toEqual(before);
  });

  test.for([
    [
      'an empty table of migrations beside a schema',
      'create table daybell_migrations (name text); create schema events',
      'the schema events',
    ],
    [
      'another table of that name',
      'create table daybell_migrations (day date)',
      'daybell_migrations is something else',
    ],
    [
      'the migrations without what they made',
      `create table daybell_migrations (name text); insert into daybell_migrations values ('0001-initial')`,
      'has no users.users, users.history',
    ],
  ] as const)('%s', async ([, sql, said]) => {
    await runSql(url, sql);
    const before = await contentsOf(url);
    await expect(runMigrations(url, QUIET)).rejects.toThrow(InvalidSettingsError);
    await expect(runMigrations(url, QUIET)).rejects.toThrow(said);
    expect(await contentsOf(url)).toEqual(before);
  });

  test('one with schemas of another program is accepted: Daybell has its own', async () => {
    await runSql(url, 'create table public.orders (id int)');
    expect(await runMigrations(url, QUIET)).toEqual([...MIGRATIONS]);
  });

  test.each([
    ['that is compatible with no earlier code', null, ''],
    [
      'that only newer code is compatible with',
      '9998-last-year',
      ', which needs one that knows 9998-last-year',
    ],
  ])('a newer schema %s is refused', async (_, compatibleFrom, needs) => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    await addNewerMigration(database.url, compatibleFrom);
    const before = await contentsOf(database.url);
    const known = MIGRATIONS.at(-1) ?? '';
    const said = `a newer version of Daybell has brought it up to 9999-next-year${needs}, and this one knows up to ${known}`;

    await expect(runMigrations(database.url, QUIET)).rejects.toThrow(said);
    // As every process connects.
    const orm = await connectOrm(database.url);
    onTestFinished(() => orm.close(true));
    await expect(requireDatabase(orm)).rejects.toThrow(said);

    expect(await contentsOf(database.url)).toEqual(before);
  });

  test('a newer schema that this version is compatible with is taken', async () => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    await addNewerMigration(database.url, MIGRATIONS.at(-1) ?? null);
    expect(await runMigrations(database.url, QUIET)).toEqual([]);
    const orm = await connectOrm(database.url);
    onTestFinished(() => orm.close(true));
    await expect(requireDatabase(orm)).resolves.toBeUndefined();
  });

  test('a process that runs already goes on while a newer version migrates', async () => {
    const api = await createTestApi();
    onTestFinished(api.database.drop);
    const create = async () => (await api.send('POST', '/v1/users', ADA)).status;
    expect(await create()).toBe(201);
    await addNewerMigration(api.database.url);
    // New connections too.
    await runSql(
      inject('postgresAdminUrl'),
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = '${new URL(api.database.url).pathname.slice(1)}'`,
    );
    await expect.poll(create, { timeout: 60_000 }).toBe(201);
  });

  test('one that comes up after the process is refused then, and not written to', async () => {
    await runSql(url, 'create schema events');
    const proxied = new URL(url);
    const port = await freePort();
    const { hostname, port: target } = proxied;
    proxied.port = String(port);
    const apiPort = await freePort();
    const api = start('api', { DATABASE_URL: proxied.href, PORT: String(apiPort) });
    await api.line(/waiting for the database/);

    const forwarder = await forward(port, hostname, Number(target));
    const posted = await fetch(`http://127.0.0.1:${apiPort}/v1/users`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(ADA),
    }).catch(() => null);

    expect(posted?.status).not.toBe(201);
    expect(await refusalOf(api)).toContain("is not Daybell's");
    forwarder.close();
  });
});

describe("another installation's task queue", () => {
  let temporal: TestTemporal;
  let ours: TestDatabase;
  let theirs: TestDatabase;
  let settings: NodeJS.ProcessEnv;
  beforeEach(async () => {
    temporal = await useDevServer();
    [ours, theirs] = [await createTestDatabase(), await createTestDatabase()];
    // Clones of one database are one installation.
    await runSql(theirs.url, 'update events.installation set id = gen_random_uuid()');
    settings = { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_TASK_QUEUE: uniqueTaskQueue() };
  });
  afterEach(async () => {
    await temporal.close();
    await ours.drop();
    await theirs.drop();
  });

  test('is refused by every process that uses Temporal, and no workflow of theirs is started', async () => {
    const scheduler = start('scheduler', { ...settings, DATABASE_URL: ours.url });
    await expect.poll(() => markOf(settings), { timeout: 60_000 }).toBe(await idOf(ours));
    expect(await scheduler.stop()).toBe(0);
    const userId = randomUUID();
    await runSql(
      theirs.url,
      `insert into users.outbox (type, user_id, revision, occurred_at)
       values ('UserCreated', '${userId}', 1, now())`,
    );

    const refusals = await Promise.all(
      ON_TEMPORAL.map((name) => refusalOf(start(name, { ...settings, DATABASE_URL: theirs.url }))),
    );

    for (const said of refusals) {
      expect(said).toContain(
        `"${settings['TEMPORAL_TASK_QUEUE']}" is the task queue of another installation (${await idOf(ours)}; that of this database is ${await idOf(theirs)})`,
      );
    }
    const followed = temporal.client.workflow.getHandle(`birthday/${userId}`).describe();
    await expect(followed).rejects.toThrow(/not found/i);
  });

  test('goes to exactly one of two that come at the same time', async () => {
    const schedulers = [ours, theirs].map(({ url }) =>
      start('scheduler', { ...settings, DATABASE_URL: url }),
    );
    const first = await Promise.race(
      schedulers.map(async (scheduler) => [scheduler, await scheduler.exited] as const),
    );
    expect(first[1]).toBe(EXIT_CONFIG);
    const other = schedulers.find((scheduler) => scheduler !== first[0]);
    expect(other?.child.exitCode).toBeNull();
    expect(await other?.stop()).toBe(0);
  });

  test('does not affect an installation with a task queue of its own', async () => {
    const own = { ...settings, TEMPORAL_TASK_QUEUE: uniqueTaskQueue() };
    const schedulers = [
      start('scheduler', { ...settings, DATABASE_URL: ours.url }),
      start('scheduler', { ...own, DATABASE_URL: theirs.url }),
    ];
    await expect.poll(() => markOf(settings), { timeout: 60_000 }).toBe(await idOf(ours));
    await expect.poll(() => markOf(own), { timeout: 60_000 }).toBe(await idOf(theirs));
    expect(await Promise.all(schedulers.map((scheduler) => scheduler.stop()))).toEqual([0, 0]);

    // The lock never runs, and describes itself.
    const mark = await scheduleOf(settings).describe();
    expect(mark.state.paused).toBe(true);
    expect(mark.state.note).toContain('never runs');
    expect(mark.info.nextActionTimes).toEqual([]);
  });

  function scheduleOf({ TEMPORAL_TASK_QUEUE }: NodeJS.ProcessEnv) {
    return temporal.client.schedule.getHandle(`${TEMPORAL_TASK_QUEUE}/installation`);
  }

  async function markOf(of: NodeJS.ProcessEnv): Promise<unknown> {
    const mark = await scheduleOf(of)
      .describe()
      .catch(() => null);
    return mark?.memo?.['installationId'];
  }
});

async function idOf({ url }: TestDatabase): Promise<string> {
  const [row] = await querySql(url, 'select id from events.installation');
  return String(row?.['id']);
}

/** As a newer version leaves it. */
function addNewerMigration(url: string, compatibleFrom: string | null = null): Promise<void> {
  return runSql(
    url,
    `insert into daybell_migrations (name, executed_at) values ('9999-next-year', now());
     ${compatibleFrom === null ? '' : `alter table daybell_migrations add column if not exists compatible_from text; update daybell_migrations set compatible_from = '${compatibleFrom}' where name = '9999-next-year'`}`,
  );
}

/** Every table with its rows. */
async function contentsOf(url: string): Promise<object[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(TABLES);
    const contents = [];
    for (const { name } of tables) {
      contents.push({ name, rows: (await client.query(`select * from ${name}`)).rows });
    }
    return contents;
  } finally {
    await client.end();
  }
}

const TABLES = `
  select n.nspname || '.' || c.relname as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'S', 'v') and n.nspname !~ '^(pg_|information_schema)' order by 1`;

async function forward(port: number, host: string, target: number) {
  const { connect, createServer } = await import('node:net');
  const server = createServer((socket) => {
    const upstream = connect(target, host);
    socket.pipe(upstream).pipe(socket);
    for (const end of [socket, upstream]) end.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}
