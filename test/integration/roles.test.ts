/** deploy/postgres/roles.sql: with exactly these rights, everything works. */
import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';

import { settingsToSend } from '../support/process-settings.ts';
import { createRoles } from '../../dev/stack/roles.ts';
import { ADA } from '../support/api.ts';
import { startPostgresServer } from '../support/postgres-server.ts';
import { createEmptyDatabase, querySql, runSql, withDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess, type TestProcess, urlOf } from '../support/process.ts';
import { useDevServer } from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

let database: Awaited<ReturnType<typeof createEmptyDatabase>>;
let receiver: WebhookReceiver;
let roles: Awaited<ReturnType<typeof createRoles>>;
let settings: NodeJS.ProcessEnv;
beforeAll(async () => {
  database = await createEmptyDatabase();
  receiver = await startWebhookReceiver();
  const passwords = { owner: randomUUID(), app: randomUUID() };
  await createRoles(database.url, passwords);
  // As after an upgrade, or for other passwords.
  roles = await createRoles(database.url, passwords);
  const temporal = await useDevServer();
  await temporal.close();
  settings = await settingsToSend(temporal.address, receiver.url);
});
afterAll(async () => {
  await receiver.close();
  await database.drop();
  await runSql(inject('postgresAdminUrl'), 'drop role daybell_owner, daybell_app');
});

const start = (name: keyof typeof ENTRIES, url: string): TestProcess =>
  untilTestEnds(runProcess(ENTRIES[name], { ...settings, DATABASE_URL: url }));

test('the owner migrates; the processes create, plan, send and follow up as the other role', async () => {
  expect(await start('migrate', roles.owner).exited).toBe(0);
  const api = start('api', roles.app);
  const others = (['scheduler', 'dispatcher', 'worker'] as const).map((name) =>
    start(name, roles.app),
  );
  const processes = [api, ...others];
  await Promise.all(processes.map((each) => each.line(/"msg":"ready"/)));
  const created = await fetch(`${await urlOf(api)}/v1/users`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(ADA),
  });
  expect(created.status).toBe(201);
  const planned = () => querySql(database.url, 'select key from events.occurrences');
  await expect.poll(planned).toHaveLength(1);
  const due = `update events.occurrences set due_at = now(), next_attempt_at = now()`;
  await runSql(database.url, due);
  await expect.poll(() => receiver.received.length).toBe(1);
  const next = `select from events.occurrences where state = 'PENDING' and lease_until is null`;
  await expect.poll(() => querySql(database.url, next)).toHaveLength(1);
  expect(processes.flatMap(({ lines }) => lines).join('\n')).not.toMatch(/permission denied/);
});

describe('the role of the processes', () => {
  test.for([
    ['create a schema', 'create schema mine'],
    ['create a table', 'create table public.mine (id int)'],
    ['change a table', 'alter table users.users add column nickname text'],
    ['empty one', 'truncate users.users cascade'],
    ['drop one', 'drop table events.occurrences'],
    [
      'replace the clock',
      `create or replace function events.clock() returns timestamptz
      language sql volatile as 'select now()'`,
    ],
    ['see to roles', 'create role friend'],
    ['read files of the server', `select pg_read_file('PG_VERSION')`],
  ] as const)('may not %s', async ([, sql]) => {
    await expect(runSql(roles.app, sql)).rejects.toMatchObject({ code: '42501' });
  });

  test('may not migrate, and the error says who may', async () => {
    const empty = await createEmptyDatabase();
    const url = new URL(roles.app);
    url.pathname = new URL(empty.url).pathname;
    const migrate = start('migrate', url.href);
    expect(await migrate.exited).toBe(1);
    expect(migrate.lines.join('\n')).toMatch(/may not create anything .*roles\.sql .*42501/);
    await empty.drop();
  });
});

test('others may not even connect', async () => {
  const name = `stranger_${randomUUID().replaceAll('-', '')}`;
  await runSql(database.url, `create role ${name} login password 'stranger'`);
  const url = new URL(database.url);
  [url.username, url.password] = [name, 'stranger'];
  await expect(runSql(url.href, 'select 1')).rejects.toMatchObject({ code: '42501' });
  await runSql(database.url, `drop role ${name}`);
});

test("the database's owner may run the script too, with the right to create roles", async () => {
  const server = await startPostgresServer();
  onTestFinished(server.stop);
  await runSql(server.adminUrl, `create role manager login createrole password 'manager'`);
  await runSql(server.adminUrl, 'create database managed owner manager');
  const url = new URL(withDatabase(server.adminUrl, 'managed'));
  [url.username, url.password] = ['manager', 'manager'];

  const managed = await createRoles(url.href, { owner: randomUUID(), app: randomUUID() });

  expect(await start('migrate', managed.owner).exited).toBe(0);
  expect(await querySql(managed.app, 'select from users.users')).toEqual([]);
});
