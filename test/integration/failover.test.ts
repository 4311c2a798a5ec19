/**
 * A failover in the middle: sessions end with 57P01, then new ones lead to a server that is read-only
 * (25006), as a standby is, and stay there when the primary is back. A database whose sessions
 * begin as read-only stands for the standby.
 */
import type { ServerResponse } from 'node:http';

import { beforeAll, expect, test } from 'vitest';

import { connectOrm } from '../../src/platform/database/orm.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { ADA } from '../support/api.ts';
import { createEventRows } from '../support/event-rows.ts';
import { querySql, runSql, useTestDatabase, withDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess, urlOf } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

const database = useTestDatabase();
let admin: string;
let name: string;
beforeAll(() => {
  admin = withDatabase(database.url, 'postgres');
  name = new URL(database.url).pathname.slice(1);
});

/** Every session ends, and new ones are read-only. */
async function failOver(): Promise<void> {
  await runSql(admin, `alter database ${name} set default_transaction_read_only = on`);
  await runSql(
    admin,
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
  );
}

/** New sessions lead to the new primary; those that there are stay where they are. */
const comeBack = () => runSql(admin, `alter database ${name} reset default_transaction_read_only`);

test('connections that lead to a standby are dropped at the first write that fails, all of them', async () => {
  const orm = await connectOrm(database.url, { poolSize: 3 });
  const pidOf = async () => {
    const [row] = await orm.em
      .fork()
      .execute<{ pid: number }[]>('select pg_backend_pid() as pid, pg_sleep(0.2)');
    return row?.pid;
  };
  const write = () =>
    orm.em.fork().execute(`update events.destinations set pause_reason = null returning id`);
  await failOver();
  const old = await Promise.all([pidOf(), pidOf(), pidOf()]);
  await comeBack();

  await expect(write()).rejects.toMatchObject({ code: '25006' });
  await expect(write()).resolves.toHaveLength(1);
  const now = await Promise.all([pidOf(), pidOf(), pidOf()]);
  expect(now.filter((pid) => old.includes(pid))).toEqual([]);
  await orm.close(true);
});

test('the API answers 503 until it is over, and nothing that was being sent is lost or repeated', async () => {
  const receiver = await startWebhookReceiver();
  const open: ServerResponse[] = [];
  receiver.answer((response) => void open.push(response));
  const settings = {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    WEBHOOK_URL: receiver.url,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_SECRETS: newWebhookSecret(),
    PORT: '0',
  };
  const [api, dispatcher, scheduler] = (['api', 'dispatcher', 'scheduler'] as const).map((entry) =>
    untilTestEnds(runProcess(ENTRIES[entry], settings)),
  );
  const processes = [api, dispatcher, scheduler].filter((each) => each !== undefined);
  await Promise.all(processes.map((running) => running.line(/"msg":"ready"/)));
  const address = api && (await urlOf(api));
  const post = () =>
    fetch(`${address}/v1/users`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(ADA),
    });
  const keys = await createEventRows(database.orm).addHerd(50, Date.now() - 1_000);
  await expect.poll(() => open.length).toBe(keys.length);

  await failOver();
  const refused = await post();
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
  expect((await fetch(`${address}/readyz`)).status).toBe(503);
  receiver.answer((response) => response.end());
  for (const response of open) response.end();
  await dispatcher?.line(/the database does not answer/);
  await comeBack();

  await expect.poll(async () => (await post()).status).toBe(201);
  const completed = () =>
    querySql(database.url, `select key from events.occurrences where state = 'COMPLETED'`);
  await expect.poll(async () => (await completed()).length).toBe(keys.length);
  expect(receiver.received.map(({ id }) => id).toSorted()).toEqual(keys.toSorted());
  expect((await fetch(`${address}/readyz`)).status).toBe(200);
  // Whoever created is planned, and what was sent is followed.
  const pending = () =>
    querySql(database.url, `select key from events.occurrences where state = 'PENDING'`);
  await expect.poll(async () => (await pending()).length).toBe(keys.length + 1);
  await receiver.close();
});
