/** What the database records when one of the two stores is at an earlier state than the other. */
import { expect, test } from 'vitest';

import { noteRestore } from '../../src/reconcile/stores.ts';
import { birthdayOf } from '../support/planning-fixture.ts';
import { DAY, HOUR, MINUTE, NOW, useReconcileFixture } from './reconcile-fixture.ts';

const fixture = useReconcileFixture();
const { planning } = fixture;

/** Planned this long ago, and its workflow notified. */
async function addNotified(agoMs: number): Promise<string> {
  await planning.setClock(NOW - agoMs);
  const userId = await planning.rows.addUser({ createdAt: NOW - 300 * DAY });
  await planning.plan(userId);
  await fixture.sql(
    `update events.occasions set notified_wake_at = wake_at where id = :userId::uuid`,
    { userId },
  );
  await planning.setClock(NOW);
  return userId;
}

const isNotified = async (userId: string): Promise<boolean> =>
  (await planning.occasionOf(userId))?.notifiedWakeAt !== null;

const revisions = () => fixture.sql('select distinct revision from users.users');

test('an older Temporal is notified again of what was planned or checked since, and of nothing else', async () => {
  const old = await addNotified(20 * DAY);
  const looked = await addNotified(20 * DAY);
  const planned = await addNotified(2 * HOUR);
  const ended = await addNotified(20 * DAY);
  await fixture.sql(
    `update events.occasions set looked_at = events.clock() - interval '1 hour' where id = :looked`,
    { looked },
  );
  await fixture.sql(
    `update events.occasions set ended_at = events.clock() - interval '1 hour', wake_at = null,
       notified_wake_at = null, end_notified_at = events.clock() where id = :ended`,
    { ended },
  );
  await fixture.sql('update events.reconciler set compared_at = events.clock()');

  const restored = await noteRestore(fixture.orm, NOW - DAY);

  expect(restored).toEqual({
    store: 'temporal',
    knowsUntil: NOW - HOUR,
    forgotten: 3,
    due: 0,
  });
  expect(await isNotified(old)).toBe(true);
  expect(await isNotified(looked)).toBe(false);
  expect(await isNotified(planned)).toBe(false);
  expect(await planning.occasionOf(ended)).toMatchObject({ endNotifiedAt: null });
  expect(await revisions()).toEqual([{ revision: 1 }]);
  expect(await fixture.sql('select compared_at from events.reconciler')).toEqual([
    { compared_at: null },
  ]);
});

test('with an older database all workflows are notified again, and revisions jump ahead', async () => {
  const users = [await addNotified(20 * DAY), await addNotified(3 * DAY)];
  const restored = await noteRestore(fixture.orm, NOW - DAY);
  expect(restored).toMatchObject({ store: 'database', knowsUntil: NOW - 3 * DAY, forgotten: 2 });
  for (const userId of users) expect(await isNotified(userId)).toBe(false);
  expect(await revisions()).toEqual([{ revision: 100_001 }]);
});

test('deliveries are paused, and what would be sent is counted; none of it is planned again', async () => {
  const userId = await fixture.addPlanned({ dateOfBirth: '1990-04-01' });
  await planning.setClock(NOW + 8 * HOUR);
  const before = await planning.occurrencesOf(userId);
  const { due } = await noteRestore(fixture.orm, NOW + 7 * HOUR);
  expect(due).toBe(1);
  expect(await planning.claim()).toEqual([]);
  expect(
    await fixture.sql('select pause_reason from events.destinations where paused_at is not null'),
  ).toEqual([{ pause_reason: expect.stringMatching(/^restored/) }]);
  expect(await planning.occurrencesOf(userId)).toEqual(before);
  await planning.planner.plan([birthdayOf(userId)]);
  expect(await planning.occurrencesOf(userId)).toEqual(before);
});

test('recording it twice changes nothing more, and an empty database is reported as such', async () => {
  await addNotified(2 * HOUR);
  expect(await noteRestore(fixture.orm, NOW - DAY)).toMatchObject({ forgotten: 1 });
  expect(await noteRestore(fixture.orm, NOW - DAY)).toMatchObject({ forgotten: 0 });

  await fixture.sql(
    'truncate users.users, users.outbox, events.occurrences, events.occasions cascade',
  );
  expect(await noteRestore(fixture.orm, NOW - MINUTE)).toEqual({
    store: 'database',
    knowsUntil: null,
    forgotten: 0,
    due: 0,
  });
});
