/** Dates and names are corrected: S5, S14 and S15 of the table. */
import { expect } from 'vitest';

import { useWorld } from './support/world.ts';

const { world, test } = useWorld();

test('S5 sent on 20 May, corrected to 21 May the same day: done for this year, next is 21 May of the next', async () => {
  const year = await world.yearToCome();
  await world.passUntil(`${year}-04-01T00:00:00Z`);
  const userId = await world.createUser({ dateOfBirth: '1990-05-20', timezone: 'Asia/Tokyo' });
  await world.passUntil(`${year}-05-20T06:00:00Z`);
  const sent = { key: world.key(userId, year), dueAt: `${year}-05-20T00:00:00.000Z` };
  expect(world.greetingsOf(userId)).toMatchObject([sent]);

  await world.changeUser(userId, { dateOfBirth: '1990-05-21' });

  const next = {
    key: world.key(userId, year + 1),
    dueAt: `${year + 1}-05-21T00:00:00.000Z`,
  };
  expect(await world.nextOf(userId)).toMatchObject({
    key: next.key,
    dueAt: next.dueAt,
  });
  await world.passUntil(`${year + 1}-06-01T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([sent, next]);
});

test('S14 the name changed an hour before: greeted with the new name', async () => {
  const year = await world.yearToCome();
  await world.passUntil(`${year}-04-01T00:00:00Z`);
  const userId = await world.createUser({ dateOfBirth: '1990-05-20', timezone: 'Asia/Tokyo' });
  await world.passUntil(`${year}-05-19T23:00:00Z`);

  await world.changeUser(userId, { firstName: 'Augusta', lastName: 'King' });

  await world.passUntil(`${year}-05-20T06:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([
    {
      key: world.key(userId, year),
      dueAt: `${year}-05-20T00:00:00.000Z`,
      late: false,
      message: `Hey, Augusta King it's your ${world.type}`,
    },
  ]);
});

test('S15 corrected from 1 December to 1 March and back in summer: greeted on 1 December of this year', async () => {
  const year = await world.yearToCome();
  await world.passUntil(`${year}-05-01T00:00:00Z`);
  const userId = await world.createUser({ dateOfBirth: '1990-12-01', timezone: 'Asia/Tokyo' });
  const december = { key: world.key(userId, year), dueAt: `${year}-12-01T00:00:00.000Z` };
  expect(await world.nextOf(userId)).toMatchObject(december);

  await world.passUntil(`${year}-07-01T00:00:00Z`);
  await world.changeUser(userId, { dateOfBirth: '1990-03-01' });
  expect(await world.nextOf(userId)).toMatchObject({
    key: world.key(userId, year + 1),
    dueAt: `${year + 1}-03-01T00:00:00.000Z`,
  });
  await world.passUntil(`${year}-07-02T00:00:00Z`);
  await world.changeUser(userId, { dateOfBirth: '1990-12-01' });

  expect(await world.nextOf(userId)).toMatchObject(december);
  expect(await world.ledgerOf(userId)).toMatchObject([
    { key: world.key(userId, year), status: 'PENDING' },
  ]);
  await world.passUntil(`${year + 1}-11-30T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([
    { key: world.key(userId, year), dueAt: december.dueAt, late: false },
  ]);
});
