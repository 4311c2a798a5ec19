/** All of Daybell behind PgBouncer in transaction mode, with the configuration of docs/deployment.md. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { settingsToSend } from '../support/process-settings.ts';
import { createRoles } from '../../dev/stack/roles.ts';
import { connectOrm } from '../../src/platform/database/orm.ts';
import { ADA } from '../support/api.ts';
import { createEventRows } from '../support/event-rows.ts';
import { createEmptyDatabase, querySql } from '../support/postgres.ts';
import { ENTRIES, runProcess, type TestProcess, urlOf } from '../support/process.ts';
import { useDevServer } from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { type PgBouncer, startPgBouncer } from './support/pgbouncer.ts';

const DOC = join(import.meta.dirname, '../../docs/deployment.md');
const PASSWORDS = { owner: 'owner-password', app: 'app-password' };

let database: Awaited<ReturnType<typeof createEmptyDatabase>>;
/** Of the docs. */
let configuration: string;
let here: [place: Record<string, string>, users: Record<string, string>];
let pgbouncer: PgBouncer;
let receiver: WebhookReceiver;
let urls: { readonly owner: string; readonly app: string };
beforeAll(async () => {
  database = await createEmptyDatabase();
  await createRoles(database.url, PASSWORDS);
  const { port, pathname } = new URL(database.url);
  const doc = await readFile(DOC, 'utf8');
  configuration = /```ini\n(; .*pgbouncer\.ini\n.*?)```/s.exec(doc)?.[1] ?? '';
  const place = {
    'db.example.com': '127.0.0.1',
    '5432': port,
    'dbname=daybell': `dbname=${pathname.slice(1)}`,
  };
  here = [place, { daybell_owner: PASSWORDS.owner, daybell_app: PASSWORDS.app }];
  pgbouncer = await startPgBouncer(configuration, ...here);
  const urlOf = (role: keyof typeof PASSWORDS) =>
    `postgresql://daybell_${role}:${PASSWORDS[role]}@127.0.0.1:${pgbouncer.port}/daybell`;
  urls = { owner: urlOf('owner'), app: urlOf('app') };
  receiver = await startWebhookReceiver();
  const migrate = runProcess(ENTRIES.migrate, { DATABASE_URL: urls.owner });
  if ((await migrate.exited) !== 0) throw new Error(migrate.lines.join('\n'));
});
afterAll(async () => {
  await receiver.close();
  await pgbouncer.stop();
  await database.drop();
});

test('statements and transactions have their time limits, and leave nothing behind', async () => {
  const orm = await connectOrm(urls.app, { poolSize: 1, queryTimeoutMs: 7_000 });
  const limits = `select current_setting('statement_timeout') as statement,
    current_setting('idle_in_transaction_session_timeout') as idle`;
  const em = orm.em.fork();
  expect(await em.execute(limits)).toEqual([{ statement: '7s', idle: '0' }]);
  await em.transactional(async (inside) => {
    expect(await inside.execute(limits)).toEqual([{ statement: '7s', idle: '7s' }]);
  });
  await expect(em.execute('select pg_sleep(30)')).rejects.toMatchObject({ code: '57014' });
  await orm.close(true);

  // Whoever gets the session next.
  const client = new pg.Client({ connectionString: urls.app });
  await client.connect();
  expect((await client.query(limits)).rows).toEqual([{ statement: '0', idle: '0' }]);
  await client.end();
});

test('every process works, and goes on when PgBouncer is restarted in the middle of a herd', async () => {
  const temporal = await useDevServer();
  await temporal.close();
  const settings = {
    ...(await settingsToSend(temporal.address, receiver.url)),
    DATABASE_URL: urls.app,
  };
  const start = (name: keyof typeof ENTRIES): TestProcess =>
    untilTestEnds(runProcess(ENTRIES[name], settings));
  const api = start('api');
  const processes = [api, start('scheduler'), start('dispatcher'), start('worker')];
  await Promise.all(processes.map((running) => running.line(/"msg":"ready"/)));
  const address = await urlOf(api);
  const post = () =>
    fetch(`${address}/v1/users`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(ADA),
    });
  expect((await post()).status).toBe(201);
  const count = async (where: string) =>
    (await querySql(database.url, `select from events.occurrences where ${where}`)).length;
  await expect.poll(() => count(`state = 'PENDING'`)).toBe(1);

  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  receiver.answer((response) => {
    response.end();
    if (receiver.received.length === 100) begin();
  });
  const orm = await connectOrm(database.url);
  const keys = await createEventRows(orm).addHerd(600, Date.now() - 1_000);
  await orm.close(true);
  await begun;
  await pgbouncer.restart();

  await expect.poll(() => count(`state = 'COMPLETED'`)).toBe(keys.length);
  expect(receiver.received.map(({ id }) => id).toSorted()).toEqual(keys.toSorted());
  await expect.poll(async () => (await post()).status).toBe(201);
  // What follows is planned: next year's of each.
  await expect.poll(() => count(`state = 'PENDING'`)).toBe(keys.length + 2);
});

test('statement mode, which has no transactions, is refused with what is needed', async () => {
  const other = await startPgBouncer(
    configuration.replace('= transaction', '= statement'),
    ...here,
  );
  const url = new URL(urls.owner);
  url.port = String(other.port);
  const migrate = runProcess(ENTRIES.migrate, { DATABASE_URL: url.href });
  expect(await migrate.exited).toBe(1);
  expect(migrate.lines.join('\n')).toMatch(/needs transaction or session mode/);
  await other.stop();
});
