import { beforeEach, afterEach, expect, test } from 'vitest';

import { createUsers } from '../../src/users/users.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProcess } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { bundledTz } from '../support/tz-databases.ts';

const WAIT = { timeout: 120_000, interval: 100 };
const USERS = 300;

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

test('two schedulers side by side, without any Temporal: each user is planned, in one row', async () => {
  for (let count = 0; count < 2; count += 1) startScheduler();
  const users = createUsers(database.orm, { clock: Date.now, tz: bundledTz });
  const name = { externalId: null, firstName: 'Ada', lastName: '' };
  const fields = { ...name, dateOfBirth: '1990-05-20', deliveryTime: null };
  const zones = ['Europe/Berlin', 'Asia/Tokyo', 'America/New_York'];
  for (let at = 0; at < USERS; at += 1) {
    await users.create({ ...fields, timezone: zones[at % 3] ?? 'UTC' });
  }
  await expect.poll(waiting, WAIT).toBe(0);
  expect(await counts()).toEqual([{ rows: USERS, users: USERS, open: USERS, failures: 0 }]);
});

function startScheduler() {
  const settings = { DATABASE_URL: database.url, TEMPORAL_ADDRESS: '127.0.0.1:1' };
  return untilTestEnds(runProcess('src/planning/main.ts', settings));
}

async function waiting(): Promise<number> {
  const rows = await database.orm.em
    .fork()
    .execute<object[]>('select from users.outbox where done_at is null');
  return rows.length;
}

function counts(): Promise<object[]> {
  return database.orm.em.fork().execute<object[]>(
    `select count(*)::int as rows, count(distinct user_id)::int as users,
       count(*) filter (where state = 'PENDING')::int as open,
       (select sum(attempts)::int from users.outbox) as failures
     from events.occurrences`,
  );
}
