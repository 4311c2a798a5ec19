/** The rule for leaplings is switched while their workflows sleep: S7 of the table. */
import { afterEach, expect } from 'vitest';

import { recordRules } from '../../src/planning/rules.ts';
import { bundledTz } from '../support/tz-databases.ts';
import { WAIT } from './support/expectations.ts';
import { useWorld } from './support/world.ts';

const { world, test } = useWorld();
afterEach(() => setPolicy('feb28'));

test('S7 leapling, sent on 28 February; policy switched to 1 March: done, next year on 1 March', async () => {
  const year = await commonYearBeforeAnother();
  const userId = await leaplingIn(year);
  await world.passUntil(`${year}-02-28T06:00:00Z`);
  const sent = { key: world.key(userId, year), dueAt: `${year}-02-28T00:00:00.000Z` };
  expect(world.greetingsOf(userId)).toMatchObject([{ ...sent, localDate: `${year}-02-28` }]);

  await setPolicy('mar1');

  const next = {
    key: world.key(userId, year + 1),
    dueAt: `${year + 1}-03-01T00:00:00.000Z`,
  };
  await expect
    .poll(() => world.ledgerOf(userId), WAIT)
    .toMatchObject([
      { key: sent.key, status: 'COMPLETED' },
      { key: next.key, status: 'PENDING', dueAt: next.dueAt },
    ]);
  await world.passUntil(`${year}-03-10T00:00:00Z`);
  expect(world.greetingsOf(userId)).toHaveLength(1);
  expect(await world.nextOf(userId)).toMatchObject({
    key: next.key,
    dueAt: next.dueAt,
  });
  await world.passUntil(`${year + 1}-03-10T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([
    sent,
    { ...next, localDate: `${year + 1}-03-01` },
  ]);
});

test('S7 the switch comes on 27 February: greeted on 1 March, and no longer on 28 February', async () => {
  const year = await commonYearBeforeAnother();
  const userId = await leaplingIn(year);
  await world.passUntil(`${year}-02-27T06:00:00Z`);

  await setPolicy('mar1');
  await expect
    .poll(() => world.nextOf(userId), WAIT)
    .toMatchObject({ dueAt: `${year}-03-01T00:00:00.000Z` });

  await world.passUntil(`${year}-12-31T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([
    { key: world.key(userId, year), dueAt: `${year}-03-01T00:00:00.000Z`, late: false },
  ]);
});

/** As `migrate` does, if LEAP_DAY_POLICY has changed; the scheduler starts after it. */
async function setPolicy(leapDayPolicy: 'feb28' | 'mar1'): Promise<void> {
  const rules = { localTime: '09:00', leapDayPolicy, tzVersion: bundledTz.version };
  await recordRules(world.api.database.orm.em.fork(), rules);
  await world.scheduler.stop();
  await world.scheduler.start();
}

/** A future year without 29 February, followed by another one. */
async function commonYearBeforeAnother(): Promise<number> {
  let year = await world.yearToCome();
  while (isLeapYear(year) || isLeapYear(year + 1)) year += 1;
  return year;
}

function isLeapYear(year: number): boolean {
  return new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1;
}

async function leaplingIn(year: number): Promise<string> {
  await world.passUntil(`${year}-02-01T00:00:00Z`);
  return world.createUser({ dateOfBirth: '2000-02-29', timezone: 'Asia/Tokyo' });
}
