/** A user moves on the day itself: S1 to S4 of the table. */
import { expect } from 'vitest';

import { daysFrom, expectLateness, WAIT } from './support/expectations.ts';
import { useWorld } from './support/world.ts';

const HOUR = 3_600_000;

const { world, test } = useWorld();

test('S1 sent in Tokyo, moved to New York the same day: done, next is next year in New York', async () => {
  const year = await world.yearToCome();
  const userId = await bornOn('05-20', 'Asia/Tokyo', `${year}-04-01T00:00:00Z`);
  await world.passUntil(`${year}-05-20T10:00:00Z`);
  const inTokyo = { key: world.key(userId, year), dueAt: `${year}-05-20T00:00:00.000Z` };
  expect(world.greetingsOf(userId)).toMatchObject([{ ...inTokyo, late: false }]);

  // Where it is 6:00 in the morning of the same day.
  await world.changeUser(userId, { timezone: 'America/New_York' });

  const inNewYork = {
    key: world.key(userId, year + 1),
    dueAt: `${year + 1}-05-20T13:00:00.000Z`,
  };
  expect(await world.nextOf(userId)).toMatchObject({
    key: inNewYork.key,
    dueAt: inNewYork.dueAt,
    timezone: 'America/New_York',
  });
  await world.passUntil(`${year + 1}-06-01T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([inTokyo, inNewYork]);
  expect(await statesOf(userId)).toEqual(['COMPLETED', 'COMPLETED', 'PENDING']);
});

test('S2 New York before 9:00, moved to Tokyo, where 9:00 has passed: sent at once, late, once', async () => {
  const year = await world.yearToCome();
  const userId = await bornOn('05-20', 'America/New_York', `${year}-04-01T00:00:00Z`);
  // 1:00 at night in New York, 14:00 in Tokyo.
  await world.passUntil(`${year}-05-20T05:00:00Z`);
  expect(world.greetingsOf(userId)).toEqual([]);

  await world.changeUser(userId, { timezone: 'Asia/Tokyo' });

  await expect.poll(() => world.greetingsOf(userId), WAIT).toHaveLength(1);
  const [greeting] = world.greetingsOf(userId);
  expect(greeting).toMatchObject({
    key: world.key(userId, year),
    dueAt: `${year}-05-20T00:00:00.000Z`,
    localDate: `${year}-05-20`,
    timezone: 'Asia/Tokyo',
    late: true,
  });
  expectLateness(greeting?.latenessMs, 5 * HOUR);
  await expectOnlyOneUntil(userId, `${year + 1}-05-19T00:00:00Z`);
  expect(await world.nextOf(userId)).toMatchObject({
    dueAt: `${year + 1}-05-20T00:00:00.000Z`,
  });
});

test('S3 sent in Apia, moved to Pago Pago, where the day is still to come: done', async () => {
  const year = await world.yearToCome();
  const userId = await bornOn('05-20', 'Pacific/Apia', `${year}-04-01T00:00:00Z`);
  // In Apia 13:00 of the day; in Pago Pago 13:00 of the day before.
  await world.passUntil(`${year}-05-20T00:00:00Z`);
  const inApia = { key: world.key(userId, year), dueAt: `${year}-05-19T20:00:00.000Z` };
  expect(world.greetingsOf(userId)).toMatchObject([inApia]);

  await world.changeUser(userId, { timezone: 'Pacific/Pago_Pago' });

  const inPagoPago = {
    key: world.key(userId, year + 1),
    dueAt: `${year + 1}-05-20T20:00:00.000Z`,
  };
  expect(await world.nextOf(userId)).toMatchObject({ dueAt: inPagoPago.dueAt });
  await world.passUntil(`${year + 1}-06-01T00:00:00Z`);
  expect(world.greetingsOf(userId)).toMatchObject([inApia, inPagoPago]);
});

/**
 * Pago Pago is 25 hours behind Kiritimati. Each move is made where the day has begun and
 * it is not yet 9:00; in Kiritimati it is the day after, and 9:00 was 20 hours ago.
 */
const S4 = [
  { born: '05-20', when: 'in May', due: '05-19T19:00:00.000Z', dueYear: 0 },
  { born: '12-31', when: 'into the new year', due: '12-30T19:00:00.000Z', dueYear: 0 },
  { born: '01-01', when: 'on New Year’s Day', due: '12-31T19:00:00.000Z', dueYear: -1 },
] as const;

for (const { born, when, due, dueYear } of S4) {
  /** In Kiritimati, of a nominal year. */
  const dueIn = (year: number) => `${year + dueYear}-${due}`;

  test(`S4 Pago Pago before 9:00, moved to Kiritimati, where it is the day after, ${when}: sent at once`, async () => {
    const year = await world.yearToCome();
    const userId = await bornOn(born, 'Pacific/Pago_Pago', daysFrom(dueIn(year), -100));
    await world.passUntil(`${year}-${born}T15:00:00Z`);
    expect(world.greetingsOf(userId)).toEqual([]);

    await world.changeUser(userId, { timezone: 'Pacific/Kiritimati' });

    await expect.poll(() => world.greetingsOf(userId), WAIT).toHaveLength(1);
    const [greeting] = world.greetingsOf(userId);
    expect(greeting).toMatchObject({
      key: world.key(userId, year),
      dueAt: dueIn(year),
      localDate: `${year}-${born}`,
      late: true,
    });
    expectLateness(greeting?.latenessMs, 20 * HOUR);
    await expectOnlyOneUntil(userId, daysFrom(dueIn(year + 1), -1));
    expect(await world.nextOf(userId)).toMatchObject({
      key: world.key(userId, year + 1),
      dueAt: dueIn(year + 1),
    });
  });
}

/** A user who is created at the instant, and was born in another year on this day. */
async function bornOn(day: string, timezone: string, createdAt: string): Promise<string> {
  await world.passUntil(createdAt);
  return world.createUser({ dateOfBirth: `1990-${day}`, timezone });
}

async function expectOnlyOneUntil(userId: string, instant: string): Promise<void> {
  await world.passUntil(instant);
  expect(world.greetingsOf(userId)).toHaveLength(1);
  expect(await statesOf(userId)).toEqual(['COMPLETED', 'PENDING']);
}

async function statesOf(userId: string): Promise<string[]> {
  return (await world.ledgerOf(userId)).map(({ status }) => status);
}
