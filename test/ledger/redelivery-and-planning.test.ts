import { beforeAll, expect, test } from 'vitest';

import { createRedelivery, type Redelivery } from '../../src/ledger/redelivery.ts';
import {
  BERLIN_2026,
  birthdayOf,
  HOUR,
  keyOf,
  LEASE_MS,
  SECOND,
  usePlanningFixture,
} from '../support/planning-fixture.ts';
import { ANY } from './redelivery-fixture.ts';

const AFTER = BERLIN_2026 + HOUR;

const fixture = usePlanningFixture();
let redelivery: Redelivery;
beforeAll(() => {
  redelivery = createRedelivery(fixture.database.orm);
});

/** Users whose receiver refused this year's greeting; their next one is not planned yet. */
async function refusedUsers(count: number): Promise<string[]> {
  const users: string[] = [];
  for (let nth = 0; nth < count; nth += 1) users.push(await fixture.rows.addUser());
  await fixture.planner.plan(users.map(birthdayOf));
  await fixture.setClock(BERLIN_2026 + SECOND);
  await fixture.send('refused');
  return users;
}

test('concurrent redeliveries and plans do not disturb each other', async () => {
  const users = await refusedUsers(40);
  await fixture.setClock(AFTER);
  const occasions = users.map(birthdayOf);

  const [first, redelivered, second] = await Promise.all([
    fixture.planner.plan(occasions),
    redelivery.redeliverAll(ANY),
    fixture.planner.plan(occasions.toReversed()),
  ]);

  expect(redelivered).toBe(users.length);
  expect(new Set([...first, ...second].map(({ kind }) => kind))).toEqual(new Set(['planned']));
  for (const userId of users) {
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { nominalDate: '2026-05-20', state: 'PENDING', attempts: 1 },
      { nominalDate: '2027-05-20', state: 'PENDING', attempts: 0 },
    ]);
  }
});

test('the redelivery of a user who is deleted while it is sent, by a process that dies, is still settled', async () => {
  const [userId = ''] = await refusedUsers(1);
  await fixture.setClock(AFTER);
  await redelivery.redeliver(keyOf(userId), { force: false });
  await fixture.claim();
  await fixture.deleteUser(userId);

  expect(await fixture.plan(userId)).toMatchObject({ kind: 'deferred' });
  expect(await fixture.plan(userId, AFTER + LEASE_MS + SECOND)).toMatchObject({ kind: 'ended' });

  expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
    state: 'FAILED',
    reason: 'user_deleted',
  });
});
