import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { OccasionInput } from '../../src/users/occasion.ts';
import { createOccasions, type Occasions } from '../../src/users/occasions.ts';
import { createUsers, type Users } from '../../src/users/users.ts';
import { useTestDatabase } from '../support/postgres.ts';
import { bundledTz } from '../support/tz-databases.ts';

const ADA = {
  externalId: null,
  firstName: 'Ada',
  lastName: 'Lovelace',
  dateOfBirth: '1990-12-10',
  timezone: 'Europe/London',
  deliveryTime: null,
};
const REMINDER: OccasionInput = {
  type: 'reminder',
  externalId: null,
  date: '2027-01-31',
  recurrence: 'monthly',
  rrule: null,
  offsetDays: 0,
  deliveryTime: null,
  timezone: null,
  data: null,
};

const database = useTestDatabase();
let users: Users;
let occasions: Occasions;
let userId: string;
beforeAll(() => {
  users = createUsers(database.orm, { clock: Date.now, tz: bundledTz });
  occasions = createOccasions(database.orm, {});
});
beforeEach(async () => {
  userId = (await users.create(ADA)).id;
});

const create = (fields: Partial<OccasionInput> = {}) =>
  occasions.create(userId, { ...REMINDER, ...fields });

describe('the history', () => {
  test("has a period for each change of inputs, end to end, without the user's own fields", async () => {
    const { id } = await create({ timezone: 'Asia/Tokyo' });
    await occasions.update(userId, id, { offsetDays: 7, timezone: null });
    await occasions.update(userId, id, { suspended: true, suspendedReason: 'dispute' });
    await occasions.delete(userId, id);
    expect(await periodsOf(id)).toEqual([
      { timezone: 'Asia/Tokyo', offsetDays: 0, suspended: false, isFollowed: true },
      { timezone: null, offsetDays: 7, suspended: false, isFollowed: true },
      { timezone: null, offsetDays: 7, suspended: true, isFollowed: false },
    ]);
    expect(await sql('select from users.occasion_periods where valid_until is null')).toEqual([]);
  });

  test('of all occasions ends with the user, and the occasions are deleted', async () => {
    const ids = [await create(), await create()].map(({ id }) => id);
    await users.delete(userId);
    expect(await sql(`select from users.occasions where user_id = '${userId}'`)).toEqual([]);
    expect(
      await sql(
        `select count(*)::int as ended, count(distinct valid_until)::int as instants
         from users.occasion_periods where user_id = '${userId}' and valid_until is not null`,
      ),
    ).toEqual([{ ended: ids.length, instants: 1 }]);
  });

  test('never runs backwards, even if the clock of the database is set back', async () => {
    const moved = await users.update(userId, { timezone: 'Asia/Tokyo' });
    await setClock("clock_timestamp() - interval '1 hour'");
    try {
      const created = await create();
      expect(created.createdAt).toBe(moved.updatedAt);
      const changed = await occasions.update(userId, created.id, { offsetDays: 1 });
      expect(changed.updatedAt).toBe(created.createdAt);
      await occasions.delete(userId, created.id);
      expect(
        await sql('select from users.occasion_periods where valid_until < valid_from'),
      ).toEqual([]);
    } finally {
      await setClock('clock_timestamp()');
    }
  });

  test('distinguishes anniversaries, reminders of a birthday and rules from simply yearly occasions', async () => {
    const yearly = { recurrence: null };
    const ids = [
      await create({ type: 'anniversary', ...yearly }),
      await create({ type: 'birthday-reminder', date: null, ...yearly }),
      await create({ rrule: 'FREQ=DAILY;COUNT=3', ...yearly }),
      await create({ recurrence: 'yearly' }),
    ];
    expect(ids.map(({ recurrence }) => recurrence)).toEqual(['yearly', 'yearly', null, 'yearly']);
    const stored = await sql<{ recurrence: string }>(
      `select recurrence from users.occasion_history
       where user_id = '${userId}' and occasion_type <> 'birthday' order by position`,
    );
    expect(stored.map(({ recurrence }) => recurrence)).toEqual([
      'birthday',
      'birthday',
      'rrule',
      'yearly',
    ]);
  });
});

describe('the outbox', () => {
  test('has an entry for each event; one that changes no plan does not wait', async () => {
    const { id } = await create();
    await occasions.update(userId, id, { data: { plan: 'Pro' }, externalId: 'c-1' });
    await occasions.update(userId, id, { recurrence: 'daily', data: null });
    await occasions.update(userId, id, { suspended: true });
    await occasions.update(userId, id, { suspendedReason: 'opted out' });
    await occasions.delete(userId, id);
    const events = await sql<{ type: string }>(
      `select type, revision, changed, done_at is null as waits from users.outbox
       where user_id = '${userId}' and occasion_type = 'reminder' and occasion_id = '${id}'
       order by id`,
    );
    expect(events).toEqual([
      { type: 'OccasionCreated', revision: 1, changed: [], waits: true },
      { type: 'OccasionUpdated', revision: 2, changed: ['externalId', 'data'], waits: false },
      { type: 'OccasionUpdated', revision: 3, changed: ['recurrence', 'data'], waits: true },
      { type: 'OccasionUpdated', revision: 4, changed: ['suspended'], waits: true },
      { type: 'OccasionUpdated', revision: 5, changed: ['suspendedReason'], waits: false },
      { type: 'OccasionDeleted', revision: 6, changed: [], waits: true },
    ]);
  });

  test('contains no value of a field', async () => {
    const { id } = await create({ data: { plan: 'Secret' }, externalId: 'secret-1' });
    await occasions.update(userId, id, { suspended: true, suspendedReason: 'secret' });
    expect(JSON.stringify(await sql('select * from users.outbox'))).not.toMatch(/secret-|Secret/);
  });
});

describe('a change of nothing', () => {
  test('leaves no trace, whatever the order of the names in the data', async () => {
    const data = { plan: 'Pro', price: { net: 9.5, of: [1, -0, 1e21] } };
    const created = await create({ externalId: 'same', data });
    const before = await sql('select from users.outbox');
    const again = { price: { of: [1, -0, 1e21], net: 9.5 }, plan: 'Pro' };
    const { id } = created;
    expect(await occasions.update(userId, id, { data: again, offsetDays: 0 })).toEqual(created);
    const put = await occasions.put(
      userId,
      { type: 'reminder', externalId: 'same' },
      { ...REMINDER, data: again },
    );
    expect(put).toEqual({ occasion: created, created: false });
    expect(await sql('select from users.outbox')).toHaveLength(before.length);
  });
});

describe('concurrent changes', () => {
  test('of a user and its occasions are all made, and their histories are in order', async () => {
    const { id } = await create();
    const changes = Array.from({ length: 10 }, (_, at) => [
      occasions.update(userId, id, { offsetDays: at + 1 }),
      users.update(userId, { timezone: `Etc/GMT+${at + 1}` }),
      create({ externalId: `many-${at}` }),
    ]).flat();
    await Promise.all(changes);
    expect((await occasions.get(userId, id)).revision).toBe(11);
    const inOrder = await sql(
      `select from users.occasion_periods as p join users.occasion_periods as n
         on n.occasion_id = p.occasion_id and n.id > p.id and n.valid_from < p.valid_until
       where p.user_id = '${userId}'`,
    );
    expect(inOrder).toEqual([]);
  });

  test('that put the same external id create one occasion', async () => {
    const address = { type: 'reminder', externalId: 'storm' };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => occasions.put(userId, address, REMINDER)),
    );
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(answers.map(({ occasion }) => occasion.id)).size).toBe(1);
  });
});

function periodsOf(id: string): Promise<object[]> {
  return sql(
    `select timezone, offset_days as "offsetDays", suspended,
       valid_until is not distinct from lead(valid_from) over (order by id) as "isFollowed"
     from users.occasion_periods where occasion_id = '${id}' order by id`,
  );
}

function sql<Row extends object>(query: string): Promise<Row[]> {
  return database.orm.em.fork().execute<Row[]>(query);
}

function setClock(expression: string): Promise<unknown> {
  return sql(`create or replace function users.clock() returns timestamptz
    language sql volatile as $$select ${expression}$$`);
}
