/** Erasing reads what it erases, however much waits in the outbox, with statistics and without. */
import { expect, onTestFinished, test } from 'vitest';

import { createErasure } from '../../src/erasure/erasure.ts';
import { connectOrm, type Orm } from '../../src/platform/database/orm.ts';
import { createEventRows } from '../support/event-rows.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const ROWS = 40_000;
const BATCH = 100;
const WITHIN = { timeout: 60_000, interval: 50 };

test.for(['fresh', 'not taken yet'] as const)(
  'while everything waits, statistics %s',
  async (statistics) => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const { sql } = createEventRows(database.orm);
    if (statistics !== 'fresh') {
      await sql('alter table users.outbox set (autovacuum_enabled = false)');
    }
    await sql(
      `insert into users.outbox (type, user_id, revision, occurred_at)
       select 'UserCreated', gen_random_uuid(), 1, now() from generate_series(1, ?::int)`,
      [ROWS],
    );
    await sql(
      `insert into users.erasures (user_id)
       select gen_random_uuid() from generate_series(1, ?::int)`,
      [BATCH],
    );
    if (statistics === 'fresh') await sql('analyze');

    const read = await rowsReadOfOutbox(database, async (orm) => {
      expect(await createErasure(orm).eraseFromDatabase(0, BATCH)).toBe(BATCH);
    });

    expect(read).toBeLessThan(ROWS / 2);
  },
);

/** How many rows were read, by connections of its own: PostgreSQL counts when these end. */
async function rowsReadOfOutbox(
  { url, orm }: TestDatabase,
  work: (orm: Orm) => Promise<void>,
): Promise<number> {
  const read = async (): Promise<number> => {
    const [counts] = await orm.em.fork().execute<{ read: number }[]>(
      `select (seq_tup_read + (select sum(idx_tup_read) from pg_stat_user_indexes as i
         where i.relid = t.relid))::float8 as read
       from pg_stat_user_tables as t where schemaname = 'users' and relname = 'outbox'`,
    );
    return counts?.read ?? 0;
  };
  await untilCounted(orm);
  const before = await read();
  const own = await connectOrm(url);
  await work(own).finally(() => own.close(true));
  await untilCounted(orm);
  return (await read()) - before;
}

/** All other connections are gone, and have left what they counted; this one leaves its own. */
async function untilCounted(orm: Orm): Promise<void> {
  const others = `
    select count(*)::int as others from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
  await expect
    .poll(
      async () => (await orm.em.fork().execute<{ others: number }[]>(others))[0]?.others,
      WITHIN,
    )
    .toBe(0);
  await orm.em.fork().execute('select pg_stat_force_next_flush()');
}
