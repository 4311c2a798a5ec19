/** A plan's time is the workflow's: with a worker that was slow, older than what it finds. */
import { expect, test } from 'vitest';

import {
  BERLIN_2026,
  BERLIN_2027,
  HOUR,
  SPRING,
  usePlanningFixture,
} from '../support/planning-fixture.ts';

const fixture = usePlanningFixture();

test('a day that was past when it became the birthday is not owed, by a plan that began before it', async () => {
  const userId = await fixture.rows.addUser();
  await fixture.plan(userId);
  await fixture.change(userId, { dateOfBirth: '1990-12-14' }, BERLIN_2026 - HOUR);
  await fixture.change(userId, { dateOfBirth: '1990-05-20' }, BERLIN_2026 + 1_000);

  const plan = await fixture.plan(userId, BERLIN_2026 - 1_000);
  expect(plan).toMatchObject({ kind: 'planned', fireAt: BERLIN_2027 });
  expect(await fixture.plan(userId, BERLIN_2026 + HOUR)).toMatchObject({ fireAt: BERLIN_2027 });
  expect(await fixture.occurrencesOf(userId)).toMatchObject([{ year: 2027, state: 'PENDING' }]);
});

test('a plan that was armed by a clock ahead is not taken for armed when it is made again', async () => {
  const userId = await fixture.rows.addUser();
  await fixture.plan(userId);
  await fixture.arm(userId);
  await fixture.rows.sql(
    `update events.occurrences set armed_at = planned_at + interval '1 minute' where user_id = ?`,
    [userId],
  );
  await fixture.plan(userId, SPRING + 1_000);
  expect(
    await fixture.rows.sql(`select state, armed_at from events.occurrences where user_id = ?`, [
      userId,
    ]),
  ).toEqual([{ state: 'PENDING', armed_at: null }]);
});

test('what was to come when the zone changed is kept by a plan that began before it', async () => {
  const userId = await fixture.rows.addUser({ timezone: 'America/New_York' });
  await fixture.plan(userId);
  await fixture.change(userId, { timezone: 'Europe/Berlin' }, BERLIN_2026 + 1_000);

  const plan = await fixture.plan(userId, BERLIN_2026 - 1_000);
  expect(plan).toMatchObject({ kind: 'planned', fireAt: BERLIN_2026 });
});
