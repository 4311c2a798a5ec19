/**
 * The rule for leaplings is switched while their workflows sleep: S7 of the table. Another
 * worker takes over, with LEAP_DAY_POLICY mar1.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { key, WAIT } from './support/expectations.ts';
import { startWorld, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({ keepsWorkflows: false });
});
afterAll(() => world.stop());
afterEach(() => world.tidy());

test('S7 leapling, sent on 28 February; policy switched to 1 March: done, next year on 1 March', async () => {
  const year = await commonYearBeforeAnother();
  const userId = await leaplingIn(year);
  await world.passUntil(`${year}-02-28T06:00:00Z`);
  const sent = { webhookId: key(userId, year), scheduledFor: `${year}-02-28T00:00:00.000Z` };
  expect(world.greetingsOf(userId)).toMatchObject([{ ...sent, localDate: `${year}-02-28` }]);

  await world.replaceWorker({ leapDayPolicy: 'mar1' });
  await world.workflowOf(userId).signal('replan');

  const next = {
    webhookId: key(userId, year + 1),
    scheduledFor: `${year + 1}-03-01T00:00:00.000Z`,
  };
  await expect
    .poll(() => world.ledgerOf(userId), WAIT)
    .toMatchObject([
      { webhookId: sent.webhookId, state: 'COMPLETED' },
      { webhookId: next.webhookId, state: 'PENDING', fireAt: next.scheduledFor },
    ]);
  await world.passUntil(`${year}-03-10T00:00:00Z`);
  expect(world.greetingsOf(userId)).toHaveLength(1);
  expect(await world.statusOf(userId)).toMatchObject({
    waitingFor: 'recheck',
    occurrenceKey: next.webhookId,
    fireAt: next.scheduledFor,
  });
  await world.passUntil(`${year + 1}-03-10T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([
    sent,
    { ...next, localDate: `${year + 1}-03-01` },
  ]);
});

test('S7 nobody tells the workflow of the switch: it learns of it when it checks its plan, before the next birthday', async () => {
  const year = await commonYearBeforeAnother();
  const userId = await leaplingIn(year);
  await world.passUntil(`${year}-02-28T06:00:00Z`);

  await world.replaceWorker({ leapDayPolicy: 'mar1' });

  await world.passUntil(`${year + 1}-03-10T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([
    { webhookId: key(userId, year), scheduledFor: `${year}-02-28T00:00:00.000Z` },
    { webhookId: key(userId, year + 1), scheduledFor: `${year + 1}-03-01T00:00:00.000Z` },
  ]);
});

test('S7 the switch comes on 27 February: greeted on 1 March, and on 28 February no more', async () => {
  const year = await commonYearBeforeAnother();
  const userId = await leaplingIn(year);
  await world.passUntil(`${year}-02-27T06:00:00Z`);

  await world.replaceWorker({ leapDayPolicy: 'mar1' });
  await world.workflowOf(userId).signal('replan');

  await world.passUntil(`${year}-12-31T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([
    { webhookId: key(userId, year), scheduledFor: `${year}-03-01T00:00:00.000Z`, late: false },
  ]);
});

/** A year to come that has no 29 February, and neither has the next. */
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
