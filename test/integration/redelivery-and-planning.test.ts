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
  usePlanningBench,
} from '../support/planning-bench.ts';

const AFTER = BERLIN_2026 + HOUR;

const bench = usePlanningBench();
let redelivery: RedeliveryLedger;
beforeAll(() => {
  redelivery = createRedeliveryLedger(bench.database.orm);
});

test('a plan leaves it alone, and is about the next year', async () => {
  const { userId, key } = await redelivered();
  const before = await bench.rows.find(key);

  const plans = [await bench.plan(userId, AFTER), await bench.plan(userId, AFTER + DAY)];

  expect(plans).toMatchObject([{ fireAt: BERLIN_2027 }, { fireAt: BERLIN_2027 }]);
  expect(await bench.rows.find(key)).toEqual(before);
  expect(await bench.occurrencesOf(userId)).toMatchObject([
    { year: 2026, state: 'PROCESSING' },
    { year: 2027, state: 'PENDING' },
  ]);
});

test('a move to where the day is still to come does not plan that year again', async () => {
  const { userId } = await redelivered();
  await bench.move(userId, 'Pacific/Pago_Pago', AFTER);
  const plan = await bench.plan(userId, AFTER);
  expect(plan).toMatchObject({ occurrenceKey: keyOf(userId, 2027) });
});

test('also while it is on the wire, the plan does not wait for it', async () => {
  const { userId, key } = await redelivered();
  await bench.rows.sql(
    `update events.occurrences set sending_until = events.clock() + interval '1 minute'
     where key = ?`,
    [key],
  );
  expect(await bench.plan(userId, AFTER)).toMatchObject({ kind: 'planned', fireAt: BERLIN_2027 });
});

test('of a deleted user, the plan ends and the row is for the dispatcher to settle', async () => {
  const { userId, key } = await redelivered();
  await bench.rows.sql('delete from users.users where id = ?', [userId]);
  expect(await bench.plan(userId, AFTER)).toEqual({ kind: 'ended' });
  expect(await bench.rows.find(key)).toMatchObject({ state: 'PROCESSING' });
});

test('of redeliveries and plans at once, each does its own', async () => {
  const users = await Promise.all(Array.from({ length: 20 }, () => failedUser()));

  await Promise.all(
    users.flatMap(({ userId, key }) => [
      bench.plan(userId, AFTER),
      begin(key),
      bench.plan(userId, AFTER),
    ]),
  );

  for (const { userId } of users) {
    expect(await bench.occurrencesOf(userId)).toMatchObject([
      { year: 2026, state: 'PROCESSING' },
      { year: 2027, state: 'PENDING' },
    ]);
  }
});

test('newer zone law plans none of them again', async () => {
  const { key } = await redelivered();
  const basis = { tzVersion: '2099z', localTime: '09:00', leapDayPolicy: 'feb28' } as const;
  const page = await createOutdatedPlans(bench.database.orm).findPage(
    basis,
    { fireAt: 0, key: '' },
    1000,
  );
  expect(page.map((plan) => plan.key)).not.toContain(key);
});

async function failedUser(): Promise<{ userId: string; key: string }> {
  const userId = await bench.rows.addUser();
  const key = await bench.rows.addOccurrence(userId, { state: 'FAILED', fireAt: BERLIN_2026 });
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
