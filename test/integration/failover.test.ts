/**
 * A failover in the middle: sessions end with 57P01, then new ones lead to a server that is read-only
 * (25006), as a standby is, and stay there when the primary is back. A database whose sessions
 * begin as read-only stands for the standby.
 */
import type { ServerResponse } from 'node:http';

import { beforeAll, expect, onTestFinished, test } from 'vitest';

import { connectOrm } from '../../src/platform/database/orm.ts';
import { ADA } from '../support/api.ts';
import { dueInstants } from '../support/instant-zones.ts';
import { querySql, runSql, useTestDatabase, withDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess, urlOf } from '../support/process.ts';
import { settingsToSend } from '../support/process-settings.ts';
import { temporaryDataDir } from '../support/started-daybell.ts';
import { useDevServer } from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

const database = useTestDatabase();
let admin: string;
let name: string;
beforeAll(() => {
  admin = withDatabase(database.url, 'postgres');
  name = new URL(database.url).pathname.slice(1);
});

/** All sessions end, and new ones are read-only. */
async function failOver(): Promise<void> {
  await runSql(admin, `alter database ${name} set default_transaction_read_only = on`);
  await runSql(
    admin,
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
  );
}

/** New sessions lead to the new primary; existing ones stay where they are. */
const comeBack = () => runSql(admin, `alter database ${name} reset default_transaction_read_only`);

test('all connections to a standby are dropped at the first write that fails', async () => {
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

const HERD = 20;
/** For waits until an instant, which is up to a minute away. */
const WITHIN = { timeout: 120_000, interval: 100 };

test.for([
  ['a dispatcher', ['api', 'scheduler', 'worker', 'dispatcher']],
  ['the workflows of a worker', ['api', 'scheduler', 'worker']],
] as const)(
  'the API answers 503 until it is over, and nothing that %s had sent is lost or repeated',
  async ([, names]) => {
    const receiver = await startWebhookReceiver();
    onTestFinished(() => receiver.close());
    const open: ServerResponse[] = [];
    receiver.answer((response) => void open.push(response));
    const temporal = await useDevServer();
    await temporal.close();
    const instants = dueInstants(await temporaryDataDir());
    const settings = {
      ...(await settingsToSend(temporal.address, receiver.url)),
      ...instants.settings,
      DATABASE_URL: database.url,
      METRICS_PORT: '0',
      // Longer than the failover.
      WEBHOOK_TIMEOUT_MS: '120000',
      WAKE_AFTER: '0s',
      WAKE_RATE: '0',
    };
    // It records the settings that decide dates.
    expect(await runProcess(ENTRIES.migrate, settings).exited).toBe(0);
    const processes = names.map((entry) => untilTestEnds(runProcess(ENTRIES[entry], settings)));
    await Promise.all(processes.map((running) => running.line(/"msg":"ready"/)));
    const [api] = processes;
    const sender = processes.at(-1);
    const address = api && (await urlOf(api));
    const post = (user: object) =>
      fetch(`${address}/v1/users`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ ...ADA, ...user }),
      });
    const readiness = () =>
      Promise.all(
        processes.map(async (running) => {
          const url = new URL('/readyz', await urlOf(running, 'metrics'));
          return (await fetch(url)).status;
        }),
      );

    const { dateOfBirth } = instants;
    const { timezone } = instants.next(20_000);
    const ids = await Promise.all(
      Array.from({ length: HERD }, async () => {
        const created = await post({ dateOfBirth, timezone });
        return ((await created.json()) as { id: string }).id;
      }),
    );
    await expect.poll(() => open.length, WITHIN).toBe(HERD);

    await failOver();
    const refused = await post({});
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await readiness()).toEqual(names.map(() => 503));
    receiver.answer((response) => response.end());
    for (const response of open) response.end();
    await sender?.line(/the database does not answer/);
    await comeBack();

    await expect.poll(async () => (await post({})).status, WITHIN).toBe(201);
    const statesOf = (users: readonly string[]) =>
      querySql(
        database.url,
        `select user_id as id, state from events.occurrences
         where user_id in (${users.map((id) => `'${id}'`).join()}) order by state, id`,
      );
    // What was sent is followed by next year's plan.
    const settled = [...ids].sort().map((id) => ({ id, state: 'COMPLETED' }));
    const planned = settled.map(({ id }) => ({ id, state: 'PENDING' }));
    await expect.poll(() => statesOf(ids), WITHIN).toEqual([...settled, ...planned]);
    const greeted = receiver.received.map(({ id }) => id.split(':')[1]);
    expect(greeted.toSorted()).toEqual(ids.toSorted());
    await expect.poll(readiness, WITHIN).toEqual(names.map(() => 200));
  },
);
