// @module-tag long
/** Thousands of occasions of one user, as the API takes them. */
import { pino } from 'pino';
import { expect, test } from 'vitest';

import { createOutboxConsumer } from '../../src/planning/outbox-consumer.ts';
import { createOutbox } from '../../src/users/outbox.ts';
import { birthdayOf, DAY, SPRING, usePlanningFixture } from '../support/planning-fixture.ts';

const fixture = usePlanningFixture();
const COUNT = 3_000;

const openRows = async (): Promise<number> => {
  const [row] = await fixture.rows.sql<{ count: number }>(
    `select count(*)::int from events.occurrences where state = 'PENDING' and due_at > events.clock()`,
  );
  return row?.count ?? 0;
};

/** Plans what the outbox contains, until it is empty. */
async function consume(): Promise<void> {
  const { orm } = fixture.database;
  const logger = pino({ level: 'silent' });
  const consumer = createOutboxConsumer({
    outbox: createOutbox(orm),
    planner: fixture.planner,
    areRequestsSlow: async () => false,
    logger,
  });
  consumer.start();
  await expect
    .poll(() => fixture.rows.sql('select id from users.outbox where done_at is null limit 1'))
    .toEqual([]);
  await consumer.stop();
}

test('are planned one by one as they are created, all at once when their user moves, and end with the user', async () => {
  const userId = await fixture.rows.addUser();
  const other = await fixture.rows.addUser();
  await fixture.rows.sql(ADD, { userId, count: COUNT });
  await consume();
  expect(await openRows()).toBe(COUNT);

  await fixture.setClock(SPRING + DAY);
  await fixture.users.update(userId, { timezone: 'Asia/Tokyo' });
  await fixture.users.update(other, { timezone: 'Asia/Tokyo' });
  await consume();
  const [moved] = await fixture.rows.sql<{ count: number }>(
    `select count(*)::int from events.occurrences where state = 'PENDING' and timezone = 'Asia/Tokyo'`,
  );
  // With both birthdays.
  expect(moved?.count).toBe(COUNT + 2);

  await fixture.users.delete(userId);
  await consume();
  expect(await openRows()).toBe(1);
  expect(await fixture.planOccasion(birthdayOf(other))).toMatchObject({ kind: 'planned' });
});

/** Daily ones, with an event each. */
const ADD = `
  with added as (
    insert into users.occasions (id, user_id, type, date, recurrence, revision, created_at,
      updated_at, inputs_changed_at)
    select gen_random_uuid(), :userId::uuid, 'reminder', '2026-01-01', 'daily', 1, users.clock(),
      users.clock(), users.clock()
    from generate_series(1, :count::int)
    returning *
  ), periods as (
    insert into users.occasion_periods (occasion_id, occasion_type, user_id, date, recurrence,
      valid_from)
    select id, type, user_id, date, recurrence, created_at from added
  )
  insert into users.outbox (type, user_id, occasion_type, occasion_id, revision, occurred_at)
  select 'OccasionCreated', user_id, type, id, 1, created_at from added`;
