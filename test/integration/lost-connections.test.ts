/**
 * A database whose connections break or fall silent, from the view of a process that keeps running.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { afterEach, beforeAll, expect, test } from 'vitest';

import { connectOrm, type Orm } from '../../src/platform/database/orm.ts';
import { runSql, useTestDatabase } from '../support/postgres.ts';

const WITHIN = { timeout: 60_000, interval: 20 };
const POOL = { poolSize: 2, queryTimeoutMs: 2_000 };

const database = useTestDatabase();
let orms: Orm[] = [];
let closers: (() => void)[] = [];

beforeAll(async () => {
  await runSql(database.url, 'create table written (number integer not null)');
});
afterEach(async () => {
  await Promise.all(orms.map((orm) => orm.close(true)));
  orms = [];
  for (const close of closers) close();
  closers = [];
});

async function connectTo(url: string): Promise<Orm> {
  const orm = await connectOrm(url, POOL);
  orms.push(orm);
  return orm;
}

const answers = (orm: Orm) => orm.em.fork().execute('select 1 as one');

/** Transactions that stay open until they may continue. */
async function beginTransactions(orm: Orm, count: number) {
  const { promise: goOn, resolve } = Promise.withResolvers<void>();
  let begun = 0;
  const ended = Array.from({ length: count }, (_, number) =>
    orm.em.fork().transactional(async (em) => {
      await em.execute('insert into written values (?)', [number]);
      begun += 1;
      await goOn;
      await em.execute('select 1');
    }),
  );
  const settled = Promise.allSettled(ended);
  await expect.poll(() => begun, WITHIN).toBe(count);
  return { goOn: resolve, settled };
}

async function end(transactions: Awaited<ReturnType<typeof beginTransactions>>): Promise<void> {
  transactions.goOn();
  const results = await transactions.settled;
  expect(results.map(({ status }) => status)).toEqual(results.map(() => 'rejected'));
}

test('transactions whose connections are lost leave the pool intact', async () => {
  const orm = await connectTo(database.url);
  for (let round = 0; round < 2; round += 1) {
    const transactions = await beginTransactions(orm, POOL.poolSize);
    await runSql(
      database.url,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and query like 'insert into written%'`,
    );
    await end(transactions);
  }
  await expect(answers(orm)).resolves.toEqual([{ one: 1 }]);
});

test('a server that falls silent is replaced by new connections, and nothing is half done', async () => {
  const proxy = await startProxy(database.url);
  const orm = await connectTo(proxy.url);
  const transactions = await beginTransactions(orm, POOL.poolSize);
  proxy.silence();
  await end(transactions);
  await expect(answers(orm)).resolves.toEqual([{ one: 1 }]);
  await expect(database.orm.em.fork().execute('select * from written')).resolves.toEqual([]);
});

test('a transaction that is left open does not keep its rows locked', async () => {
  const orm = await connectTo(database.url);
  await runSql(database.url, 'insert into written values (7)');
  const { promise: forgotten, resolve: remember } = Promise.withResolvers<void>();
  const transaction = orm.em.fork().transactional(async (em) => {
    await em.execute('update written set number = 8');
    await forgotten;
  });
  const ended = Promise.allSettled([transaction]);
  const free = () => database.orm.em.fork().execute('select 1 from written for update skip locked');
  await expect.poll(free, WITHIN).toEqual([]);
  await expect.poll(free, WITHIN).toHaveLength(1);
  remember();
  expect(await ended).toMatchObject([{ status: 'rejected' }]);
  expect(await database.orm.em.fork().execute('select number from written')).toEqual([
    { number: 7 },
  ]);
});

/** A route to the database on which all existing connections can be made to hang. */
async function startProxy(databaseUrl: string) {
  const target = new URL(databaseUrl);
  let open: Socket[] = [];
  const server = createServer((socket) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
    open.push(socket, upstream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  const url = new URL(databaseUrl);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    silence() {
      for (const socket of open) socket.unpipe().pause();
      open = [];
    },
  };
}
