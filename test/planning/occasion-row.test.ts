/** What a plan writes about an occasion besides its occurrences. */
import { expect, test } from 'vitest';

import {
  BERLIN_2026,
  BERLIN_2027,
  birthdayOf,
  DAY,
  HOUR,
  keyOf,
  NEW_YORK_2026,
  SPRING,
  usePlanningFixture,
} from '../support/planning-fixture.ts';

const fixture = usePlanningFixture();

test('a plan says when the workflow should wake, and keeps that while the due instant stays', async () => {
  const userId = await fixture.rows.addUser();
  const planned = await fixture.plan(userId);
  const wakeAt = planned.kind === 'planned' ? planned.wakeAt : 0;
  expect(wakeAt).toBeGreaterThanOrEqual(BERLIN_2026 + 10_000);
  expect(wakeAt).toBeLessThan(BERLIN_2026 + 15_000);
  expect(await fixture.occasionOf(userId)).toMatchObject({
    version: 1,
    plannedAt: SPRING,
    wakeAt,
    wakeDueAt: BERLIN_2026,
    notifiedWakeAt: null,
    endedAt: null,
  });

  for (let at = 0; at < 30; at += 1) await fixture.plan(await fixture.rows.addUser());
  await fixture.plan(userId, SPRING + HOUR);
  expect(await fixture.occasionOf(userId)).toMatchObject({
    version: 2,
    plannedAt: SPRING + HOUR,
    wakeAt,
  });
  await fixture.change(userId, { timezone: 'America/New_York' });
  expect(await fixture.plan(userId)).toMatchObject({ dueAt: NEW_YORK_2026 });
  expect(await fixture.occasionOf(userId)).toMatchObject({
    wakeDueAt: NEW_YORK_2026,
    inputsAt: SPRING + HOUR,
  });
});

test('the workflows of a herd wake one after the other, in one batch or in several', async () => {
  const users = await fixture.rows.addUsers(150);
  const refs = users.map(birthdayOf);
  const outcomes = [
    ...(await fixture.planner.plan(refs.slice(0, 100))),
    ...(await fixture.planner.plan(refs.slice(100))),
  ];
  const wakes = outcomes.map((outcome) => (outcome.kind === 'planned' ? outcome.wakeAt : 0));
  const last = Math.max(...wakes) - BERLIN_2026 - 10_000;
  expect(last).toBeGreaterThanOrEqual((149 * 1_000) / 15);
  expect(last).toBeLessThan((149 * 1_000) / 15 + 5_000);
});

test('for an owed occurrence, dispatchers have their time before a workflow checks', async () => {
  const userId = await fixture.rows.addUser();
  const planned = await fixture.plan(userId, BERLIN_2026 + HOUR);
  expect(planned).toMatchObject({ dueAt: BERLIN_2026 });
  expect(planned.kind === 'planned' && planned.wakeAt - BERLIN_2026 - HOUR).toBeGreaterThan(9_999);
});

test('without dispatchers, workflows wake at the due instant', async () => {
  const userId = await fixture.rows.addUser();
  const textbook = fixture.plannerWith({ wake: { afterMs: 0, perSecond: 0 } });
  expect(await textbook.plan([birthdayOf(userId)])).toMatchObject([{ wakeAt: BERLIN_2026 }]);
});

test('a plan without an instant is checked again after a day, and does not count as a plan', async () => {
  const userId = await fixture.rows.addUser({ timezone: 'Mars/Olympus_Mons' });
  await fixture.plan(userId);
  expect(await fixture.occasionOf(userId)).toMatchObject({
    plannedAt: null,
    wakeAt: SPRING + DAY,
    wakeDueAt: null,
  });
});

test('the last settled occurrence is recorded, except SKIPPED ones', async () => {
  const userId = await fixture.rows.addUser();
  await fixture.plan(userId);
  await fixture.setClock(BERLIN_2026 + 1);
  await fixture.send('refused');
  await fixture.plan(userId);
  const lastSettled = { lastSettledKey: keyOf(userId), lastSettledNominal: '2026-05-20' };
  expect(await fixture.occasionOf(userId)).toMatchObject({
    ...lastSettled,
    wakeDueAt: BERLIN_2027,
  });
  await fixture.plan(userId, BERLIN_2027 + 3 * DAY);
  expect(await fixture.occurrencesOf(userId)).toMatchObject([
    { state: 'FAILED' },
    { state: 'SKIPPED', reason: 'too_late' },
    { state: 'PENDING' },
  ]);
  expect(await fixture.occasionOf(userId)).toMatchObject(lastSettled);
});

test('the end is written once, and a plan after it starts anew with Temporal', async () => {
  const userId = await fixture.rows.addUser();
  await fixture.plan(userId);
  await fixture.rows.sql('update events.occasions set notified_wake_at = wake_at');
  const rows = await fixture.rows.sql<Record<string, unknown>>('select * from users.users');
  await fixture.deleteUser(userId);
  await fixture.plan(userId, SPRING + HOUR);
  await fixture.plan(userId, SPRING + DAY);
  expect(await fixture.occasionOf(userId)).toMatchObject({
    wakeAt: null,
    wakeDueAt: null,
    endedAt: SPRING + HOUR,
    notifiedWakeAt: expect.any(Number),
  });

  await fixture.rows.sql('update events.occasions set end_notified_at = events.clock()');
  await putBack(rows[0] ?? {});
  expect(await fixture.plan(userId)).toMatchObject({ kind: 'planned', dueAt: BERLIN_2026 });
  expect(await fixture.occasionOf(userId)).toMatchObject({
    endedAt: null,
    endNotifiedAt: null,
    notifiedWakeAt: null,
    wakeDueAt: BERLIN_2026,
  });
});

async function putBack(user: Record<string, unknown>): Promise<void> {
  await fixture.rows.sql(
    `insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
       created_at, updated_at, inputs_changed_at)
     values (:id, :first_name, :last_name, :date_of_birth, :timezone, 1,
       :created_at, :created_at, :created_at)`,
    user,
  );
}
