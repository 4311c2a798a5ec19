/** The day of the year that begins on another date in UTC: S8 of the table. */
import { expect } from 'vitest';

import { useWorld } from './support/world.ts';

const { world, test } = useWorld();

// First in this file, which begins in the present: run in 2026, it is about 1 January 2027.
test('S8 Kiritimati, 1 January: due on 31 December in UTC, in the new nominal year', async () => {
  const year = await world.yearToCome();
  await world.passUntil(`${year - 1}-12-01T00:00:00Z`);
  const userId = await world.createUser({
    dateOfBirth: '1990-01-01',
    timezone: 'Pacific/Kiritimati',
  });
  const first = { key: world.key(userId, year), dueAt: `${year - 1}-12-31T19:00:00.000Z` };
  expect(await world.nextOf(userId)).toMatchObject({
    key: first.key,
    dueAt: first.dueAt,
  });

  await world.passUntil(`${year}-01-10T00:00:00Z`);

  expect(world.greetingsOf(userId)).toMatchObject([{ ...first, localDate: `${year}-01-01` }]);
  const second = { key: world.key(userId, year + 1), dueAt: `${year}-12-31T19:00:00.000Z` };
  expect(await world.nextOf(userId)).toMatchObject({
    key: second.key,
    dueAt: second.dueAt,
  });
  await world.passUntil(`${year + 1}-01-10T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([first, second]);
  expect(await world.ledgerOf(userId)).toMatchObject([
    { key: first.key, status: 'COMPLETED' },
    { key: second.key, status: 'COMPLETED' },
    { key: world.key(userId, year + 2), status: 'PENDING' },
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
    { key: world.key(userId, year), dueAt: `${year - 1}-12-31T19:00:00.000Z`, late: false },
  ]);
});
