import { randomUUID } from 'node:crypto';

import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';

import type { Loop } from '../../src/platform/loop.ts';
import { createDispatchersFirst } from '../../src/planning/pace/dispatchers-first.ts';
import { createFollowUp } from '../../src/planning/follow-up.ts';
import type { Planner } from '../../src/planning/planner.ts';
import {
  BERLIN_2026,
  BERLIN_2027,
  birthdayOf,
  HOUR,
  keyOf,
  NEW_YORK_2026,
  usePlanningFixture,
} from '../support/planning-fixture.ts';

const WAIT = { timeout: 60_000, interval: 20 };

const fixture = usePlanningFixture();
const loops: Loop[] = [];
afterEach(async () => {
  await Promise.all(loops.splice(0).map((loop) => loop.stop()));
  await fixture.rows.sql('truncate events.dispatchers');
});

test('next year is planned as soon as this year is settled, and the row says so', async () => {
  const userId = await plannedUser();
  await fixture.setClock(BERLIN_2026 + 1);
  await fixture.send('delivered');
  followUp();
  await expect
    .poll(() => fixture.occurrencesOf(userId), WAIT)
    .toMatchObject([
      { nominalDate: '2026-05-20', state: 'COMPLETED', followed: true },
      { nominalDate: '2027-05-20', state: 'PENDING' },
    ]);
  expect(await fixture.occasionOf(userId)).toMatchObject({
    lastSettledKey: keyOf(userId),
    lastSettledNominal: '2026-05-20',
    wakeDueAt: BERLIN_2027,
  });
});

test('a row that was released because the user has moved is planned again', async () => {
  const userId = await plannedUser();
  await fixture.change(userId, { timezone: 'America/New_York' }, BERLIN_2026 - HOUR);
  await fixture.setClock(BERLIN_2026 + 1);
  await fixture.ledger.release(await fixture.claim());
  followUp();
  await expect
    .poll(() => fixture.rows.find(keyOf(userId)), WAIT)
    .toMatchObject({ dueAt: NEW_YORK_2026, nextAttemptAt: NEW_YORK_2026 });
});

test('more than a batch is planned completely, by several schedulers at once', async () => {
  const count = 1_200;
  await fixture.setClock(BERLIN_2026 + 1);
  await fixture.rows.addHerd(count, BERLIN_2026);
  await fixture.rows.sql(
    `update events.occurrences set state = 'FAILED', reason = 'refused', attempts = 1,
       next_attempt_at = null, settled_at = events.clock()`,
  );
  followUp();
  followUp();
  await expect.poll(unfollowed, WAIT).toBe(0);
  expect(
    await fixture.rows.sql(
      `select state, count(*)::int from events.occurrences group by state order by state`,
    ),
  ).toEqual([
    { state: 'FAILED', count },
    { state: 'PENDING', count },
  ]);
});

test('an occasion that cannot be planned delays no other, and is retried only after a pause', async () => {
  const [failing, other] = [await plannedUser(), await plannedUser()];
  await fixture.setClock(BERLIN_2026 + 1);
  await fixture.send('delivered');
  let tries = 0;
  followUp({
    ...fixture.planner,
    async plan(refs) {
      const outcomes = await fixture.planner.plan(refs.filter(({ id }) => id !== failing));
      if (!refs.some(({ id }) => id === failing)) return outcomes;
      tries += 1;
      return [...outcomes, { ...birthdayOf(failing), kind: 'failed', error: new Error('no') }];
    },
  });
  await expect.poll(() => fixture.occurrencesOf(other), WAIT).toHaveLength(2);
  const third = await plannedUser();
  await fixture.setClock(BERLIN_2026 + 2);
  await fixture.send('delivered');
  await expect.poll(() => fixture.occurrencesOf(third), WAIT).toHaveLength(2);
  expect(tries).toBeLessThan(5);
});

test('while dispatchers are busy it waits, but not forever', async () => {
  const userId = await plannedUser();
  await fixture.setClock(BERLIN_2026 + 1);
  await fixture.send('delivered');
  await fixture.rows.sql(
    `insert into events.dispatchers (id, stamped_at, busy_at)
     values (:id, events.clock(), events.clock())`,
    { id: randomUUID() },
  );
  let plans = 0;
  const counting: Planner = {
    ...fixture.planner,
    plan(refs) {
      plans += 1;
      return fixture.planner.plan(refs);
    },
  };
  const waiting = followUp(counting, 3_600_000);
  followUp(fixture.planner, 0);
  await expect.poll(() => fixture.occurrencesOf(userId), WAIT).toHaveLength(2);
  await waiting.stop();
  expect(plans).toBe(0);
});

async function plannedUser(): Promise<string> {
  const userId = await fixture.rows.addUser();
  await fixture.plan(userId);
  return userId;
}

function followUp(planner: Planner = fixture.planner, mostBusyMs = 60_000): Loop {
  const { orm } = fixture.database;
  const isLeftToDispatchers = createDispatchersFirst(orm, mostBusyMs);
  const logger = pino({ level: 'silent' });
  const loop = createFollowUp({ orm, planner, isLeftToDispatchers, logger });
  loops.push(loop);
  loop.start();
  return loop;
}

async function unfollowed(): Promise<number> {
  const rows = await fixture.rows.sql(
    `select from events.occurrences where not followed and state = 'FAILED'`,
  );
  return rows.length;
}
