/** The day of the year that begins on another date in UTC: S8 of the table. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { key } from './support/expectations.ts';
import { startWorld, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());
afterEach(() => world.tidy());

// First in this file, which begins in the present: run in 2026, it is about 1 January 2027.
test('S8 Kiritimati, 1 January: due on 31 December in UTC, in the new nominal year', async () => {
  const year = await world.yearToCome();
  await world.passUntil(`${year - 1}-12-01T00:00:00Z`);
  const userId = await world.createUser({
    dateOfBirth: '1990-01-01',
    timezone: 'Pacific/Kiritimati',
  });
  const first = { key: key(userId, year), dueAt: `${year - 1}-12-31T19:00:00.000Z` };
  expect(await world.nextOf(userId)).toMatchObject({
    key: first.key,
    dueAt: first.dueAt,
  });

  await world.passUntil(`${year}-01-10T00:00:00Z`);

  expect(world.greetingsOf(userId)).toMatchObject([{ ...first, localDate: `${year}-01-01` }]);
  const second = { key: key(userId, year + 1), dueAt: `${year}-12-31T19:00:00.000Z` };
  expect(await world.nextOf(userId)).toMatchObject({
    key: second.key,
    dueAt: second.dueAt,
  });
  await world.passUntil(`${year + 1}-01-10T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([first, second]);
  expect(await world.ledgerOf(userId)).toMatchObject([
    { key: first.key, status: 'COMPLETED' },
    { key: second.key, status: 'COMPLETED' },
    { key: key(userId, year + 2), status: 'PENDING' },
  ]);
});

test('S8 created in Kiritimati on 1 January before 9:00, while it is 31 December in UTC: greeted that day', async () => {
  const year = await world.yearToCome();
  await world.passUntil(`${year - 1}-12-31T18:30:00Z`);

  const userId = await world.createUser({
    dateOfBirth: '1990-01-01',
    timezone: 'Pacific/Kiritimati',
  });

  await world.passUntil(`${year}-12-31T18:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([
    { key: key(userId, year), dueAt: `${year - 1}-12-31T19:00:00.000Z`, late: false },
  ]);
});
