// @module-tag long
/**
 * What the scheduler asks reads a few rows, however many there are, also for the minute after much
 * was written in which the database has no statistics yet.
 */
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';

import { connectOrm, type Orm } from '../../src/platform/database/orm.ts';
import { findRecipients } from '../../src/planning/occasion-inputs.ts';
import { createPlanner } from '../../src/planning/planner.ts';
import { createOutbox } from '../../src/users/outbox.ts';
import { type TestDatabase, useFilledDatabase } from '../support/postgres.ts';
import { bundledTz } from '../support/tz-databases.ts';

/** With far fewer it may read all: that is as cheap. */
const ROWS = 60_000;
const BATCH = 100;

const filled = useFilledDatabase(async (orm) => {
  const sql = (query: string) => orm.em.fork().execute<{ id: string }[]>(query, { rows: ROWS });
  await sql(LOAD);
  const first = await sql('select id from users.users limit 1');
  await plannerOn(orm).plan(first.map(({ id }) => ({ type: 'birthday', id })));
  await sql(GROW);
});

for (const statistics of ['fresh', 'not taken yet'] as const) {
  test(`a claim of the outbox and the plans after it, statistics ${statistics}`, async () => {
    const database = await filled.clone();
    onTestFinished(() => database.drop());
    if (statistics === 'fresh') await database.orm.em.fork().execute('analyze');

    const read = await rowsReadBy(database, async (orm) => {
      const planner = plannerOn(orm);
      const outbox = createOutbox(orm);
      const entries = await outbox.claim(BATCH, 30_000);
      expect(entries).toHaveLength(BATCH);
      const occasions = await planner.findOccasions(entries.map(({ userId }) => userId));
      // The second time there are rows to check.
      for (let times = 0; times < 2; times += 1) {
        const outcomes = await planner.plan(occasions);
        // A birthday each, and a renewal, whose history is read.
        expect(outcomes.filter(({ kind }) => kind === 'planned')).toHaveLength(2 * BATCH);
      }
      const rows = occasions.map(({ type, id, userId }) => ({
        key: `${type}:${id}`,
        occasionType: type,
        occasionId: id,
        userId,
        dueAt: 0,
      }));
      expect((await findRecipients(orm)(rows)).size).toBe(2 * BATCH);
      const done = entries.map(({ id, leaseToken }) => ({ id, leaseToken, kind: 'done' as const }));
      await outbox.acknowledge(done);
    });

    expect(read.filter(({ rows }) => rows > ROWS / 2)).toEqual([]);
  });
}

const plannerOn = (orm: Orm) =>
  createPlanner({
    orm,
    settings: {
      tz: bundledTz,
      lateAfterMs: 300_000,
      lateLimitMs: 48 * 3_600_000,
      wake: { afterMs: 10_000, perSecond: 15 },
    },
    clock: Date.now,
    logger: pino({ level: 'silent' }),
  });

/** All of one birthday, and a renewal that falls due with it: they fall due together. */
const LOAD = `
  with created as (
    insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
      created_at, updated_at, inputs_changed_at)
    select gen_random_uuid(), 'Ada', 'Lovelace', date '1950-05-20', 'Europe/Berlin',
      1, now(), now(), now()
    from generate_series(1, :rows::int) as n
    returning id, date_of_birth, timezone, created_at
  ), noted as (
    insert into users.history (user_id, date_of_birth, timezone, valid_from)
    select id, date_of_birth, timezone, created_at from created
  ), renewals as (
    insert into users.occasions (id, user_id, type, date, recurrence, offset_days, revision,
      created_at, updated_at, inputs_changed_at)
    select gen_random_uuid(), id, 'renewal', date '2020-05-27', 'yearly', 7, 2, created_at,
      created_at, created_at + interval '1 second'
    from created
    returning id, user_id, date, recurrence, offset_days, created_at
  ), periods as (
    insert into users.occasion_periods (occasion_id, occasion_type, user_id, date, recurrence,
      offset_days, valid_from, valid_until)
    select id, 'renewal', user_id, date, recurrence, days, since, until
    from renewals, lateral (values
      (0, created_at, created_at + interval '1 second'),
      (offset_days, created_at + interval '1 second', null)) as period (days, since, until)
  )
  insert into users.outbox (type, user_id, revision, occurred_at)
  select 'UserCreated', id, 1, created_at from created`;

/** As many more as are given, planned for the instant of the one that is. */
const GROW = `
  with planned as materialized (
    select o.*, k.wake_at, k.wake_due_at from events.occurrences as o
    join events.occasions as k on k.type = o.occasion_type and k.id = o.occasion_id
  ), others as materialized (
    select gen_random_uuid() as id, n from generate_series(1, :rows::int) as n
  ), occasions as (
    insert into events.occasions (type, id, user_id, planned_at, inputs_at, wake_at, wake_due_at,
      wake_place)
    select 'birthday', others.id, others.id, planned_at, inputs_at, wake_at, wake_due_at, n
    from planned, others
  )
  insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date, state,
    recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at, local_date, due_at,
    superseded_at, planned_at, next_attempt_at)
  select replace(key, occasion_id::text, others.id::text), 'birthday', others.id, others.id,
    nominal_date, state, recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at,
    local_date, due_at, superseded_at, planned_at, next_attempt_at
  from planned, others`;

/**
 * How many rows were read of each table, on separate connections: PostgreSQL counts when these end.
 */
async function rowsReadBy({ url, orm }: TestDatabase, work: (orm: Orm) => Promise<void>) {
  const read = () =>
    orm.em.fork().execute<{ table: string; rows: number }[]>(
      `select schemaname || '.' || relname as table, (seq_tup_read + coalesce((
         select sum(idx_tup_read) from pg_stat_user_indexes as i where i.relid = t.relid), 0))::float8 as rows
       from pg_stat_user_tables as t where schemaname in ('users', 'events') order by 1`,
    );
  await orm.em.fork().execute('select pg_stat_force_next_flush()');
  const before = new Map((await read()).map(({ table, rows }) => [table, rows]));
  const own = await connectOrm(url);
  await work(own);
  await own.close(true);
  const difference = async () =>
    (await read()).map(({ table, rows }) => ({ table, rows: rows - (before.get(table) ?? 0) }));
  await expect
    .poll(async () => (await difference()).find(({ table }) => table === 'users.outbox')?.rows)
    .toBeGreaterThan(0);
  return difference();
}
