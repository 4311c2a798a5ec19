import { randomUUID } from 'node:crypto';

import { beforeAll, expect, test } from 'vitest';

import { beginRedelivery } from '../../src/events/begin-redelivery.ts';
import type { RedeliveryLedger } from '../../src/events/redelivery.ts';
import { createOutdatedPlans } from '../../src/persistence/outdated-plans.ts';
import { createRedeliveryLedger } from '../../src/persistence/redelivery-ledger.ts';
import {
  BERLIN_2026,
  BERLIN_2027,
  DAY,
  HOUR,
  keyOf,
  usePlanningFixture,
} from '../support/planning-fixture.ts';

const AFTER = BERLIN_2026 + HOUR;

const fixture = usePlanningFixture();
let redelivery: RedeliveryLedger;
beforeAll(() => {
  redelivery = createRedeliveryLedger(fixture.database.orm);
});

test('a plan leaves it alone, and is about the next year', async () => {
  const { userId, key } = await redelivered();
  const before = await fixture.rows.find(key);

  const plans = [await fixture.plan(userId, AFTER), await fixture.plan(userId, AFTER + DAY)];

  expect(plans).toMatchObject([{ fireAt: BERLIN_2027 }, { fireAt: BERLIN_2027 }]);
  expect(await fixture.rows.find(key)).toEqual(before);
  expect(await fixture.occurrencesOf(userId)).toMatchObject([
    { year: 2026, state: 'PROCESSING' },
    { year: 2027, state: 'PENDING' },
  ]);
});

test('a move to where the day is still to come does not plan that year again', async () => {
  const { userId } = await redelivered();
  await fixture.move(userId, 'Pacific/Pago_Pago', AFTER);
  const plan = await fixture.plan(userId, AFTER);
  expect(plan).toMatchObject({ occurrenceKey: keyOf(userId, 2027) });
});

test('also while it is on the wire, the plan does not wait for it', async () => {
  const { userId, key } = await redelivered();
  await fixture.rows.sql(
    `update events.occurrences set sending_until = events.clock() + interval '1 minute'
     where key = ?`,
    [key],
  );
  expect(await fixture.plan(userId, AFTER)).toMatchObject({ kind: 'planned', fireAt: BERLIN_2027 });
});

test('of a deleted user, the plan ends and the row is for the dispatcher to settle', async () => {
  const { userId, key } = await redelivered();
  await fixture.rows.sql('delete from users.users where id = ?', [userId]);
  expect(await fixture.plan(userId, AFTER)).toEqual({ kind: 'ended' });
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'PROCESSING' });
});

test('of redeliveries and plans at once, each does its own', async () => {
  const users = await Promise.all(Array.from({ length: 20 }, () => failedUser()));

  await Promise.all(
    users.flatMap(({ userId, key }) => [
      fixture.plan(userId, AFTER),
      begin(key),
      fixture.plan(userId, AFTER),
    ]),
  );

  for (const { userId } of users) {
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { year: 2026, state: 'PROCESSING' },
      { year: 2027, state: 'PENDING' },
    ]);
  }
});

test('newer zone law plans none of them again', async () => {
  const { key } = await redelivered();
  const basis = { tzVersion: '2099z', localTime: '09:00', leapDayPolicy: 'feb28' } as const;
  const page = await createOutdatedPlans(fixture.database.orm).findPage(
    basis,
    { fireAt: 0, key: '' },
    1000,
  );
  expect(page.map((plan) => plan.key)).not.toContain(key);
});

async function failedUser(): Promise<{ userId: string; key: string }> {
  const userId = await fixture.rows.addUser();
  const key = await fixture.rows.addOccurrence(userId, { state: 'FAILED', fireAt: BERLIN_2026 });
  return { userId, key };
}

async function redelivered(): Promise<{ userId: string; key: string }> {
  const user = await failedUser();
  expect(await begin(user.key)).toEqual({ kind: 'begun' });
  return user;
}

function begin(key: string) {
  const request = { occurrenceKey: key, redeliveryId: randomUUID(), force: false };
  return beginRedelivery(redelivery, request, Date.now());
}
