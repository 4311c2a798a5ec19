/** Occasions of another type than birthdays are data: the reconciler finds theirs as well. */
import { randomUUID } from 'node:crypto';

import { beforeAll, expect, test } from 'vitest';

import { brief, NOTHING, useReconcileFixture } from './reconcile-fixture.ts';

const fixture = useReconcileFixture();

/** The two views that planning reads, with wedding days beside the birthdays. */
beforeAll(async () => {
  await fixture.sql(`
    create table users.weddings (id uuid primary key, user_id uuid not null, date date not null)`);
  await fixture.sql(`
    create or replace view users.occasion_inputs as
      select 'birthday'::text as occasion_type, id as occasion_id, id as user_id,
        'birthday'::text as recurrence, date_of_birth as date, timezone,
        created_at, inputs_changed_at as changed_at
      from users.users
      union all
      select 'wedding', w.id, u.id, 'yearly', w.date, u.timezone, u.created_at, u.created_at
      from users.weddings as w join users.users as u on u.id = w.user_id`);
  await fixture.sql(`
    create or replace view users.occasion_history as
      select 'birthday'::text as occasion_type, user_id as occasion_id, user_id, id as position,
        'birthday'::text as recurrence, date_of_birth as date, timezone, valid_from, valid_until
      from users.history
      union all
      select 'wedding', w.id, h.user_id, h.id, 'yearly', w.date, h.timezone, h.valid_from,
        h.valid_until
      from users.weddings as w join users.history as h on h.user_id = w.user_id`);
});

async function addWedding(userId: string): Promise<string> {
  const id = randomUUID();
  await fixture.sql(`insert into users.weddings values (:id::uuid, :userId::uuid, '2015-05-01')`, {
    id,
    userId,
  });
  return id;
}

const typesOf = (userId: string) =>
  fixture.sql(
    `select occasion_type as type, state from events.occurrences
     where user_id = :userId order by occasion_type`,
    { userId },
  );

test('of each user all occasions are looked at, and only those that there are', async () => {
  const [both, one] = [await fixture.addPlanned(), await fixture.addPlanned()];
  expect(brief(await fixture.run())).toEqual(NOTHING);
  const id = await addWedding(both);

  expect(brief(await fixture.run())).toEqual({
    detected: { unplanned: 1 },
    repaired: { unplanned: 1 },
    unrepaired: {},
  });
  expect(await typesOf(both)).toEqual([
    { type: 'birthday', state: 'PENDING' },
    { type: 'wedding', state: 'PENDING' },
  ]);
  expect(await typesOf(one)).toHaveLength(1);
  await fixture.age();
  expect(brief(await fixture.run())).toEqual(NOTHING);

  // The occasion is gone, and the user is not.
  await fixture.sql('delete from users.weddings where id = :id', { id });
  expect((await fixture.run()).detected).toEqual({ unplanned: 1 });
  const [, wedding] = await fixture.sql<{ state: string; reason: string | null }>(
    `select state, reason from events.occurrences where user_id = :both order by occasion_type`,
    { both },
  );
  expect(wedding).toEqual({ state: 'SKIPPED', reason: 'occasion_deleted' });
});
