/**
 * What is done all the time takes a batch out of a large table by an index, before and after the
 * database has taken its statistics: how long it takes must not grow with how many users there are.
 */
import { expect, onTestFinished, test } from 'vitest';

import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { createErasureLedger } from '../../src/persistence/erasure.ts';
import { connectOrm, type Orm } from '../../src/persistence/orm.ts';
import { createOutbox } from '../../src/persistence/outbox-store.ts';
import { createReportQueue } from '../../src/persistence/report-queue.ts';
import { createEventRows } from '../support/event-rows.ts';
import { attemptOf } from '../support/ledger-fixture.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const ROWS = 40_000;
const BATCH = 100;

for (const statistics of ['fresh', 'not taken yet'] as const) {
  test(`a claim, its outcomes and its reports, statistics ${statistics}`, async () => {
    const database = await emptyDatabase();
    const now = Date.now();
    const { addHerd, sql } = createEventRows(database.orm);
    if (statistics !== 'fresh') await freeze(database.orm, 'events.occurrences');
    await addHerd(ROWS, now - 1_000);
    if (statistics === 'fresh') await sql('analyze');

    const read = await rowsReadBy(database, 'events', 'occurrences', async (orm) => {
      const ledger = createDeliveryLedger(orm, { lateAfterMs: 300_000 });
      const claimed = await ledger.claim({ limit: BATCH, now, holdMs: 25_000 });
      expect(claimed).toHaveLength(BATCH);
      const next = { kind: 'delivered', at: now } as const;
      expect(await ledger.record(claimed.map((one) => attemptOf(one, next)))).toMatchObject({
        left: [],
      });
      const queue = createReportQueue(orm);
      const reports = await queue.take(BATCH, 60_000);
      expect(reports).toHaveLength(BATCH);
      await queue.markReported(reports);
    });

    expect(read).toBeLessThan(ROWS / 2);
  });

  test(`a claim of the outbox after Temporal was away, statistics ${statistics}`, async () => {
    const database = await emptyDatabase();
    const { sql } = createEventRows(database.orm);
    const outbox = createOutbox(database.orm);
    await outbox.subscribe('scheduling');
    if (statistics !== 'fresh') await freeze(database.orm, 'users.outbox');
    await sql(
      `insert into users.outbox (subscriber, type, user_id, revision, occurred_at)
       select 'scheduling', 'UserCreated', gen_random_uuid(), 1, now()
       from generate_series(1, ?::int)`,
      [ROWS],
    );
    if (statistics === 'fresh') await sql('analyze');

    const read = await rowsReadBy(database, 'users', 'outbox', async (orm) => {
      expect(await createOutbox(orm).claim('scheduling', BATCH, 30_000)).toHaveLength(BATCH);
    });

    expect(read).toBeLessThan(ROWS / 2);
  });

  test(`an erasure while Temporal is away, statistics ${statistics}`, async () => {
    const database = await emptyDatabase();
    const { sql } = createEventRows(database.orm);
    if (statistics !== 'fresh') await freeze(database.orm, 'users.outbox');
    await sql(
      `insert into users.outbox (subscriber, type, user_id, revision, occurred_at)
       select 'scheduling', 'UserCreated', gen_random_uuid(), 1, now()
       from generate_series(1, ?::int)`,
      [ROWS],
    );
    await sql(
      `insert into users.erasures (user_id)
       select gen_random_uuid() from generate_series(1, ?::int)`,
      [BATCH],
    );
    if (statistics === 'fresh') await sql('analyze');

    const read = await rowsReadBy(database, 'users', 'outbox', async (orm) => {
      expect(await createErasureLedger(orm).eraseFromDatabase(0, BATCH)).toBe(BATCH);
    });

    expect(read).toBeLessThan(ROWS / 2);
  });
}

async function emptyDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  return database;
}

/** No statistics are taken, as for a minute after much was written. */
async function freeze(orm: Orm, table: string): Promise<void> {
  await orm.em.fork().execute(`alter table ${table} set (autovacuum_enabled = false)`);
}

/** How many rows were read of a table, by connections of its own: PostgreSQL counts when these end. */
async function rowsReadBy(
  { url, orm }: TestDatabase,
  schema: string,
  table: string,
  work: (orm: Orm) => Promise<void>,
): Promise<number> {
  const read = async (): Promise<number> => {
    const [counts] = await orm.em.fork().execute<{ read: number }[]>(
      `select (seq_tup_read + (select sum(idx_tup_read) from pg_stat_user_indexes as i
         where i.relid = t.relid))::float8 as read
       from pg_stat_user_tables as t where schemaname = ? and relname = ?`,
      [schema, table],
    );
    if (counts === undefined) throw new Error(`There is no table ${schema}.${table}.`);
    return counts.read;
  };
  await untilCounted(orm);
  const before = await read();
  const own = await connectOrm(url);
  await work(own).finally(() => own.close(true));
  await untilCounted(orm);
  return (await read()) - before;
}

/** Whoever else was connected is gone, and has left what it counted; this connection leaves its own. */
async function untilCounted(orm: Orm): Promise<void> {
  const others = `
    select count(*)::int as others from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
  await expect
    .poll(async () => (await orm.em.fork().execute<{ others: number }[]>(others))[0]?.others, {
      timeout: 60_000,
    })
    .toBe(0);
  await orm.em.fork().execute('select pg_stat_force_next_flush()');
}
