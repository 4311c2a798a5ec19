// @module-tag long
/** What the reconciler finds in the ledger, and repairs by planning, without Temporal. */
import { expect, test } from 'vitest';

import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';
import { birthdayOf, keyOf } from '../support/planning-fixture.ts';
import {
  brief,
  DAY,
  HOUR,
  MINUTE,
  NOTHING,
  NOW,
  subjectOf,
  useReconcileFixture,
} from './reconcile-fixture.ts';

const fixture = useReconcileFixture();
const { planning } = fixture;
const repaired = (kind: string, count = 1) => ({
  detected: { [kind]: count },
  repaired: { [kind]: count },
  unrepaired: {},
});

test('in a healthy installation it finds nothing, and plans nothing again', async () => {
  for (const dateOfBirth of ['1990-05-20', '1992-02-29', '1985-01-01', '2000-04-02']) {
    for (const timezone of ['Asia/Tokyo', 'America/New_York', 'Pacific/Apia']) {
      await fixture.addPlanned({ dateOfBirth, timezone });
    }
  }
  await fixture.addPlanned({ timezone: 'Mars/Olympus' });
  // Some of them greeted, failed, or with a retry to come.
  for (const outcome of ['delivered', 'refused', 'retry'] as const) {
    const userId = await fixture.addPlanned({ dateOfBirth: '1990-04-01' });
    await planning.setClock(NOW + HOUR * 8);
    await planning.send(outcome);
    if (outcome !== 'retry') await planning.plan(userId);
    await fixture.age();
  }
  const versions = () => fixture.sql('select id, version from events.occasions order by id');
  const before = await versions();

  const report = await fixture.run();

  expect(brief(report)).toEqual(NOTHING);
  expect(await versions()).toEqual(before);
  expect(await fixture.findings()).toEqual([]);
});

test('users without a plan are planned, page by page', async () => {
  const users: string[] = [];
  for (let nth = 0; nth < 7; nth++) users.push(await fixture.addUnplanned());
  await fixture.addPlanned();

  expect(brief(await fixture.run())).toEqual(repaired('unplanned', 7));

  for (const userId of users) expect(await fixture.stateOf(userId)).toEqual(['PENDING']);
  expect(brief(await fixture.run())).toEqual(NOTHING);
});

test('a waiting event in the outbox excuses its user for ten minutes, and no longer', async () => {
  const userId = await fixture.addUnplanned();
  const id = await fixture.addEvent(userId, 9 * MINUTE);
  expect(brief(await fixture.run())).toEqual(NOTHING);

  await fixture.sql(
    `update users.outbox set occurred_at = occurred_at - interval '2 minutes' where id = :id`,
    { id },
  );
  expect(brief(await fixture.run())).toEqual(repaired('unplanned'));
});

test('an event that is done or parked excuses nobody', async () => {
  const [done, parked] = [await fixture.addUnplanned(), await fixture.addUnplanned()];
  await fixture.addEvent(done, MINUTE, true);
  const id = await fixture.addEvent(parked, MINUTE);
  await fixture.sql('update users.outbox set parked_at = users.clock() where id = :id', { id });
  expect(brief(await fixture.run())).toEqual(repaired('unplanned', 2));
});

test('a greeted user is planned, but not within the five minutes that the scheduler has', async () => {
  const userId = await fixture.addPlanned({ dateOfBirth: '1990-04-01' });
  await planning.setClock(NOW + 8 * HOUR);
  await planning.send('delivered');
  expect(brief(await fixture.run())).toEqual(NOTHING);

  await planning.setClock(NOW + 8 * HOUR + 6 * MINUTE);
  expect(brief(await fixture.run())).toEqual(repaired('unplanned'));
  expect(await fixture.stateOf(userId)).toEqual(['COMPLETED', 'PENDING']);
});

test('a change that the scheduler missed is planned', async () => {
  const userId = await fixture.addPlanned();
  await planning.change(userId, { dateOfBirth: '1990-06-20' });
  await fixture.addEvent(userId, MINUTE);
  expect(brief(await fixture.run())).toEqual(NOTHING);

  await fixture.sql('truncate users.outbox');
  expect(brief(await fixture.run())).toEqual(repaired('unplanned'));
  expect(await planning.occurrencesOf(userId)).toMatchObject([{ nominalDate: '2026-06-20' }]);
});

test('a row that is leased is left alone, whatever has changed', async () => {
  const userId = await fixture.addPlanned({ dateOfBirth: '1990-04-01' });
  await planning.setClock(NOW + 8 * HOUR);
  await planning.claim();
  await planning.change(userId, { dateOfBirth: '1990-06-20' });
  expect(brief(await fixture.run())).toEqual(NOTHING);
});

test('a row that was released and not planned again is planned', async () => {
  const userId = await fixture.addPlanned();
  await fixture.sql(
    'update events.occurrences set next_attempt_at = null where user_id = :userId',
    { userId },
  );
  expect(brief(await fixture.run())).toEqual(repaired('unplanned'));
  expect(await planning.rows.find(keyOf(userId))).toMatchObject({
    nextAttemptAt: expect.any(Number),
  });
});

test('the plan of a deleted user is SKIPPED, and its workflow has to end', async () => {
  const userId = await fixture.addPlanned();
  await planning.deleteUser(userId);
  await fixture.addEvent(userId, MINUTE);
  expect(brief(await fixture.run())).toEqual(NOTHING);

  await fixture.sql('truncate users.outbox');
  expect(brief(await fixture.run())).toEqual(repaired('unplanned'));
  expect(await planning.occurrencesOf(userId)).toMatchObject([
    { state: 'SKIPPED', reason: 'user_deleted' },
  ]);
  expect(await planning.occasionOf(userId)).toMatchObject({ endedAt: NOW, wakeAt: null });
  expect(brief(await fixture.run())).toEqual(NOTHING);
});

test('a row that no process attempts is named if nothing holds it up, and its workflow is notified', async () => {
  const userId = await fixture.addPlanned({ dateOfBirth: '1990-04-01' });
  await fixture.sql('update events.occasions set notified_wake_at = wake_at');
  const due = NOW + 7 * HOUR;
  await planning.setClock(due + MINUTE);
  expect(brief(await fixture.run())).toEqual(NOTHING);

  await planning.setClock(due + 3 * MINUTE);
  const report = await fixture.run();
  expect(brief(report)).toEqual({
    detected: { unattempted: 1 },
    repaired: {},
    unrepaired: { unattempted: 1 },
  });
  expect(report).toMatchObject({
    examples: [{ subject: keyOf(userId), why: 'no process attempts it, and nothing holds it up' }],
  });
  expect(fixture.alarms()).toMatchObject([
    { alarm: 'reconcile-unrepaired', unrepaired: { unattempted: 1 } },
  ]);
  expect(await planning.occasionOf(userId)).toMatchObject({ notifiedWakeAt: null });

  await planning.send('delivered');
  expect(brief(await fixture.run())).toEqual({
    detected: {},
    repaired: { unattempted: 1 },
    unrepaired: {},
  });
});

test.for<[string, string]>([
  ['while deliveries are paused', 'update events.destinations set paused_at = events.clock()'],
  ['at a rate limit', 'update events.destinations set max_per_second = 1'],
  [
    'while the receiver asks to slow down',
    `update events.destinations set slowed_ends_at = events.clock() + interval '1 minute'`,
  ],
  [
    'while a dispatcher is busy',
    `insert into events.dispatchers (id, stamped_at, busy_at)
     values (gen_random_uuid(), events.clock(), events.clock())`,
  ],
])('a row that waits %s is not a finding', async ([, hold]) => {
  await fixture.addPlanned({ dateOfBirth: '1990-04-01' });
  await planning.setClock(NOW + 9 * HOUR);
  await fixture.sql(hold);
  expect(brief(await fixture.run())).toEqual(NOTHING);
});

test('a row that waits while others are sent is excused, for an hour', async () => {
  await fixture.addPlanned({ dateOfBirth: '1990-04-01' });
  await planning.setClock(NOW + 7 * HOUR + 50 * MINUTE);
  const other = await plantOccurrence(fixture.sql, { state: 'COMPLETED' });
  const sendOther = (number: number) =>
    plantAttempt(fixture.sql, other, { number, started_at: new Date(planning.now) });
  await sendOther(1);
  await fixture.sql('update events.occurrences set attempts = 9 where key = :other', { other });
  expect(brief(await fixture.run())).toEqual(NOTHING);

  await planning.setClock(NOW + 8 * HOUR + MINUTE);
  await sendOther(2);
  expect(brief(await fixture.run())).toMatchObject({ unrepaired: { unattempted: 1 } });
});

test('an occurrence that is too late is SKIPPED, and next year is planned', async () => {
  const userId = await fixture.addPlanned({ dateOfBirth: '1990-04-01' });
  await planning.setClock(NOW + 3 * DAY);
  expect(brief(await fixture.run())).toEqual(repaired('unattempted'));
  expect(await fixture.stateOf(userId)).toEqual(['SKIPPED', 'PENDING']);
});

test('an occasion that cannot be planned delays no other, and the alarm says why', async () => {
  const [bad, good] = [await fixture.addUnplanned(), await fixture.addUnplanned()];
  const reconciler = fixture.reconcilerWith({
    async plan(occasions) {
      const outcomes = await planning.planner.plan(occasions.filter(({ id }) => id !== bad));
      const code = { code: '22008', severity: 'ERROR' };
      const error = Object.assign(new Error('the date 1990-05-20'), code);
      return [...outcomes, { ...birthdayOf(bad), kind: 'failed', error }];
    },
  });

  const report = await reconciler.run();

  expect(brief(report)).toEqual({
    detected: { unplanned: 2 },
    repaired: { unplanned: 1 },
    unrepaired: { unplanned: 1 },
  });
  expect(report.examples).toEqual([
    {
      kind: 'unplanned',
      subject: subjectOf(bad),
      why: 'it has no open row, and planning fails: Error (22008)',
    },
  ]);
  expect(await fixture.stateOf(good)).toEqual(['PENDING']);

  // Planned by another process meanwhile.
  await planning.plan(bad);
  expect(brief(await fixture.run())).toEqual({ ...NOTHING, repaired: { unplanned: 1 } });
});

test('with two concurrent reconcilers, each finding is counted by one', async () => {
  for (let nth = 0; nth < 20; nth++) await fixture.addUnplanned();
  const reports = await Promise.all([fixture.run(), fixture.run()]);
  const found = reports.map(({ detected }) => detected.unplanned ?? 0);
  const cured = reports.map((report) => report.repaired.unplanned ?? 0);
  expect(found.reduce((sum, count) => sum + count)).toBe(20);
  expect(cured.reduce((sum, count) => sum + count)).toBe(20);
  expect(reports.map(({ unrepaired }) => unrepaired)).toEqual([{}, {}]);
});
