/** A user is created on the birthday itself: S9 of the table. 9:00 in Tokyo is 00:00Z. */
import { expect } from 'vitest';

import { expectLateness, WAIT } from './support/expectations.ts';
import { useWorld } from './support/world.ts';

const MINUTE = 60_000;
const BORN_ON_20_MAY = { dateOfBirth: '1990-05-20', timezone: 'Asia/Tokyo' };

const { world, test } = useWorld();

test('S9 created on the birthday at 08:59: greeted today, at 9:00', async () => {
  const year = await world.yearToCome();
  await world.passUntil(`${year}-05-19T23:59:00Z`);

  const userId = await world.createUser(BORN_ON_20_MAY);

  const today = { key: world.key(userId, year), dueAt: `${year}-05-20T00:00:00.000Z` };
  expect(await world.nextOf(userId)).toMatchObject({
    key: today.key,
    dueAt: today.dueAt,
  });
  await world.passUntil(`${year + 1}-05-19T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([{ ...today, late: false }]);
  expectLateness(world.greetingsOf(userId)[0]?.latenessMs, 0);
});

for (const [when, time] of [
  ['at 09:00 exactly', '00:00:00.000'],
  ['at 09:01', '00:01:00.000'],
]) {
  test(`S9 created on the birthday ${when}: greeted next year`, async () => {
    const year = await world.yearToCome();
    const createdAt = `${year}-05-20T${time}Z`;
    await world.passUntil(createdAt);

    const userId = await world.createUser(BORN_ON_20_MAY, createdAt);

    const next = {
      key: world.key(userId, year + 1),
      dueAt: `${year + 1}-05-20T00:00:00.000Z`,
    };
    expect(await world.nextOf(userId)).toMatchObject({
      key: next.key,
      dueAt: next.dueAt,
    });
    expect(await world.ledgerOf(userId)).toMatchObject([{ key: next.key }]);
    await world.passUntil(`${year + 1}-05-21T00:00:00Z`);
    expect(world.greetingsOf(userId)).toMatchObject([{ ...next, late: false }]);
  });
}

for (const [localTime, time] of [
  ['08:59', '23:59:00.000'],
  ['08:59:59.999', '23:59:59.999'],
]) {
  test(`S9 created on the birthday at ${localTime}, with the scheduler down until 09:05: greeted today, late`, async () => {
    const year = await world.yearToCome();
    const createdAt = `${year}-05-19T${time}Z`;
    await world.passUntil(createdAt);
    await world.scheduler.stop();
    const userId = await world.createUser(BORN_ON_20_MAY, createdAt);
    await world.passUntil(`${year}-05-20T00:05:00Z`);
    expect(world.greetingsOf(userId)).toEqual([]);

    await world.scheduler.start();

    await expect.poll(() => world.greetingsOf(userId), WAIT).toHaveLength(1);
    const [greeting] = world.greetingsOf(userId);
    const today = { key: world.key(userId, year), dueAt: `${year}-05-20T00:00:00.000Z` };
    expect(greeting).toMatchObject({ ...today, late: true });
    expectLateness(greeting?.latenessMs, 5 * MINUTE);
    await world.passUntil(`${year + 1}-05-19T00:00:00Z`);
    expect(world.greetingsOf(userId)).toHaveLength(1);
    expect(await world.nextOf(userId)).toMatchObject({
      dueAt: `${year + 1}-05-20T00:00:00.000Z`,
    });
  });
}

test('S9 created at 09:00 exactly, with the scheduler down until 09:05: greeted next year', async () => {
  const year = await world.yearToCome();
  const createdAt = `${year}-05-20T00:00:00.000Z`;
  await world.passUntil(createdAt);
  await world.scheduler.stop();
  const userId = await world.createUser(BORN_ON_20_MAY, createdAt);
  await world.passUntil(`${year}-05-20T00:05:00Z`);

  await world.scheduler.start();
  await world.notified();

  expect(await world.nextOf(userId)).toMatchObject({
    dueAt: `${year + 1}-05-20T00:00:00.000Z`,
  });
  expect(world.greetingsOf(userId)).toEqual([]);
});
