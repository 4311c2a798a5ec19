/** Occasions of other types than birthdays: the reconciler finds their faults too. */
import { beforeAll, expect, test } from 'vitest';

import { createOccasions, type Occasions } from '../../src/users/occasions.ts';
import { occasionFields } from '../support/occasions.ts';
import { brief, DAY, NOTHING, NOW, useReconcileFixture } from './reconcile-fixture.ts';

const fixture = useReconcileFixture();
let occasions: Occasions;
beforeAll(() => {
  occasions = createOccasions(fixture.orm, {});
});

/** Its event is lost. */
async function addWedding(userId: string): Promise<string> {
  const fields = occasionFields({ type: 'wedding', date: '2015-05-01', recurrence: 'yearly' });
  const { id } = await occasions.create(userId, fields);
  await fixture.sql('truncate users.outbox');
  return id;
}

const typesOf = (userId: string) =>
  fixture.sql(
    `select occasion_type as type, state from events.occurrences
     where user_id = :userId order by occasion_type`,
    { userId },
  );

test('all existing occasions of each user are checked, and no others', async () => {
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

  // The occasion is deleted, but the user is not.
  await occasions.delete(both, id);
  await fixture.sql('truncate users.outbox');
  expect((await fixture.run()).detected).toEqual({ unplanned: 1 });
  const [, wedding] = await fixture.sql<{ state: string; reason: string | null }>(
    `select state, reason from events.occurrences where user_id = :both order by occasion_type`,
    { both },
  );
  expect(wedding).toEqual({ state: 'SKIPPED', reason: 'occasion_deleted' });
});

test('an occasion that is over stays over, whatever changes for its user later', async () => {
  const { planning } = fixture;
  const userId = await fixture.addPlanned();
  const fields = occasionFields({ date: '2015-05-01', recurrence: 'once' });
  const { id } = await occasions.create(userId, fields);
  const plan = async (): Promise<void> => {
    await planning.planner.plan([
      { type: 'birthday', id: userId },
      { type: 'reminder', id },
    ]);
    await fixture.sql('truncate users.outbox');
  };
  await plan();
  expect(brief(await fixture.run())).toEqual(NOTHING);

  await planning.setClock(NOW + DAY);
  await planning.users.update(userId, { timezone: 'Asia/Tokyo' });
  await plan();
  expect(brief(await fixture.run())).toEqual(NOTHING);
});
