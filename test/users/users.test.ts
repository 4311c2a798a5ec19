import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import type { UserPlace } from '../../src/users/user-list.ts';
import { createUsers, type Users } from '../../src/users/users.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { bundledTz } from '../support/tz-databases.ts';

const HOUR = 3_600_000;
const ADA = {
  externalId: null,
  firstName: 'Ada',
  lastName: 'Lovelace',
  dateOfBirth: '1990-12-10',
  timezone: 'Europe/London',
  deliveryTime: null,
};

let database: TestDatabase;
let users: Users;
beforeAll(async () => {
  database = await createTestDatabase();
  users = createUsers(database.orm, { clock: Date.now, tz: bundledTz });
});
afterEach(() => setClock('clock_timestamp()'));
afterAll(() => database.drop());

describe('instants', () => {
  test('come from the database, however wrong the clock of the process is', async () => {
    const clock = () => Date.now() + 48 * HOUR;
    const ahead = createUsers(database.orm, { clock, tz: bundledTz });
    const before = await databaseNow();
    const created = await ahead.create(ADA);
    const moved = await ahead.update(created.id, { timezone: 'Asia/Tokyo' });
    const after = await databaseNow();

    expect(created.createdAt).toBeGreaterThanOrEqual(Math.floor(before));
    expect(moved.inputsChangedAt).toBeGreaterThanOrEqual(created.createdAt);
    expect(moved.inputsChangedAt).toBeLessThanOrEqual(after);
    expect(await historyOf(created.id)).toEqual([
      { timezone: 'Europe/London', isFromCreation: true, isOver: true },
      { timezone: 'Asia/Tokyo', isFromCreation: false, isOver: false },
    ]);
  });

  test('never go backwards when the clock of the database is set back', async () => {
    const created = await users.create(ADA);
    await setClock("clock_timestamp() - interval '1 hour'");
    const moved = await users.update(created.id, { timezone: 'Asia/Tokyo' });
    expect(moved.updatedAt).toBe(created.updatedAt);
    expect(moved.inputsChangedAt).toBe(created.updatedAt);
    await users.delete(created.id);
    expect(
      await sql(
        `select count(*)::int as wrong from users.history
         where user_id = '${created.id}' and valid_until < valid_from`,
      ),
    ).toEqual([{ wrong: 0 }]);
  });

  test('of the schedule inputs do not change with a name', async () => {
    const created = await users.create(ADA);
    await setClock("clock_timestamp() + interval '1 hour'");
    const renamed = await users.update(created.id, { firstName: 'Augusta' });
    expect(renamed.updatedAt).toBeGreaterThan(created.updatedAt);
    expect(renamed.inputsChangedAt).toBe(created.inputsChangedAt);
    expect(await historyOf(created.id)).toHaveLength(1);
  });

  test('of a change come after whatever held the user locked before it', async () => {
    const { id } = await users.create(ADA);
    const planner = await connect();
    await planner.query('begin');
    await planner.query('select 1 from users.users where id = $1 for no key update', [id]);
    const moving = users.update(id, { timezone: 'Asia/Tokyo' });
    await expect.poll(waitingForLocks).toBe(1);
    const lockedUntil = await databaseNow();
    await planner.query('commit');
    const { inputsChangedAt } = await moving;
    expect(inputsChangedAt).toBeGreaterThanOrEqual(Math.floor(lockedUntil));
  });
});

describe('the outbox', () => {
  test('has an entry for each event; one that changes no plan does not wait', async () => {
    const { id } = await users.create(ADA);
    await users.update(id, { externalId: 'crm-1', firstName: 'Augusta' });
    await users.update(id, { lastName: 'King', dateOfBirth: '1990-12-11' });
    await users.delete(id);
    expect(
      await sql(
        `select type, revision, changed, done_at is null as waits from users.outbox
         where user_id = '${id}' order by id`,
      ),
    ).toEqual([
      { type: 'UserCreated', revision: 1, changed: [], waits: true },
      { type: 'UserUpdated', revision: 2, changed: ['externalId', 'firstName'], waits: false },
      { type: 'UserUpdated', revision: 3, changed: ['lastName', 'dateOfBirth'], waits: true },
      { type: 'UserDeleted', revision: 4, changed: [], waits: true },
    ]);
  });
});

describe('a repeated request', () => {
  test('gets the user of the first one, even if both come at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => users.create({ ...ADA, firstName: 'Eve' }, 'eve-1')),
    );
    expect(answers).toEqual(answers.map(() => answers[0]));
    expect(await sql("select count(*)::int from users.users where first_name = 'Eve'")).toEqual([
      { count: 1 },
    ]);
  });
});

describe('pages', () => {
  test('show a user whose transaction ends late on the next page, instead of losing it', async () => {
    await sql('truncate users.users cascade');
    const [, second] = [await users.create(ADA), await users.create(ADA)];
    await expect.poll(usersNotYetFinal).toBe(0);
    const slow = await connect();
    await slow.query('begin');
    const { id: late } = await insert(slow);
    const [third, fourth] = [await users.create(ADA), await users.create(ADA)];

    const first = await page(1, null);
    expect(first.ids).toHaveLength(1);
    const before = await page(2, first.next);
    expect(before.ids).toEqual([second.id]);
    await slow.query('commit');
    const after = await page(10, before.next);
    expect(after).toEqual({ ids: [late, third.id, fourth.id], next: null });
  });

  test('contain all users by the last one, those of the last moment too', async () => {
    await sql('truncate users.users cascade');
    const slow = await connect();
    await slow.query('begin');
    await insert(slow);
    const { id } = await users.create(ADA);
    expect(await page(10, null)).toEqual({ ids: [id], next: null });
    await slow.query('rollback');
  });

  test('follow the order of creation, not of ids', async () => {
    await sql('truncate users.users cascade');
    const one = await users.create(ADA);
    const early = await insert(await connect(), '00000000-0000-7000-8000-000000000001');
    const two = await users.create(ADA);
    const ids = [one.id, early.id, two.id];
    expect((await page(10, null)).ids).toEqual(ids);
  });
});

/** Other databases of the server have transactions too, which may be older. */
async function usersNotYetFinal(): Promise<number> {
  const rows = await sql(
    'select from users.users where position >= pg_snapshot_xmin(pg_current_snapshot())',
  );
  return rows.length;
}

async function page(limit: number, after: UserPlace | null) {
  const query = { limit, after, externalId: null, timezone: null, q: null };
  const { users: found, next } = await users.list(query);
  return { ids: found.map(({ id }) => id), next };
}

async function insert(client: pg.Client, id?: string): Promise<{ id: string }> {
  const { rows } = await client.query(
    `insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
       created_at, updated_at, inputs_changed_at)
     values (coalesce($1::uuid, gen_random_uuid()), 'A', '', '1990-01-01', 'UTC', 1, now(), now(), now())
     returning id`,
    [id],
  );
  return rows[0];
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

function sql<Row extends object>(query: string): Promise<Row[]> {
  return database.orm.em.fork().execute<Row[]>(query);
}

function setClock(expression: string): Promise<unknown> {
  return sql(`create or replace function users.clock() returns timestamptz
    language sql volatile as $$select ${expression}$$`);
}

async function databaseNow(): Promise<number> {
  const [row] = await sql<{ now: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now',
  );
  return row?.now ?? 0;
}

async function waitingForLocks(): Promise<number> {
  const rows = await sql(
    `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
  );
  return rows.length;
}

function historyOf(id: string): Promise<object[]> {
  return sql(
    `select h.timezone, h.valid_from = u.created_at as "isFromCreation",
       h.valid_until is not null as "isOver"
     from users.history as h join users.users as u on u.id = h.user_id
     where u.id = '${id}' order by h.id`,
  );
}
