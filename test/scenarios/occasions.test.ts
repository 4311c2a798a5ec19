// @module-tag long
/** A daily, a monthly and a one-off occasion of one user, year by year; and S18 of the table. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { WAIT } from './support/expectations.ts';
import { startWorld, type World } from './support/world.ts';

const DAY = 86_400_000;
/**
 * Of the monthly one; the daily one is deleted after the first: each of its days is a timer and an
 * activity.
 */
const YEARS = 3;
/** Some 500 webhooks, on a busy machine. */
const PATIENCE_MS = 900_000;

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

test(
  'S18 a daily, a monthly and a one-off occasion are sent on their days at 9:00 local time, with Temporal down for two of them',
  { timeout: PATIENCE_MS },
  async () => {
    const year = await world.yearToCome();
    await world.passUntil(`${year}-01-01T00:00:00Z`);
    const userId = await world.createUser({ dateOfBirth: '1990-05-20', timezone: 'Europe/Berlin' });
    const add = (fields: object): Promise<string> =>
      world.createOccasion(userId, { type: 'reminder', ...fields });
    const daily = await add({ date: `${year - 1}-12-31`, recurrence: 'daily' });
    const monthly = await add({ date: `${year - 1}-12-31`, recurrence: 'monthly' });
    const once = await add({ date: `${year + 1}-02-28`, recurrence: 'once' });

    // In summer: 9:00 is 7:00 in UTC.
    await world.passUntil(`${year}-07-30T20:00:00Z`);
    expect(daysOf(daily).at(-1)).toBe(`${year}-07-30`);
    // No workflow wakes.
    world.holdTimers();
    await world.dispatcher.start();
    for (const day of [`${year}-07-31`, `${year}-08-01`]) {
      await world.passUntil(`${day}T07:00:01Z`);
      await expect.poll(() => daysOf(daily).at(-1), WAIT).toBe(day);
      await expect.poll(() => openDateOf(daily), WAIT).toBe(dateOf(Date.parse(day) + DAY));
    }
    await world.dispatcher.stop();
    await world.releaseTimers();
    await world.passUntil(`${year + 1}-01-01T00:00:00Z`);
    await world.deleteOccasion(userId, daily);
    await world.passUntil(`${year + YEARS}-01-01T00:00:00Z`);

    const [from, until] = [Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1)];
    expect(daysOf(daily)).toEqual(
      Array.from({ length: (until - from) / DAY }, (_, days) => dateOf(from + days * DAY)),
    );
    expect(daysOf(monthly)).toEqual(
      Array.from({ length: 12 * YEARS }, (_, month) => dateOf(Date.UTC(year, month + 1, 0))),
    );
    expect(daysOf(once)).toEqual([`${year + 1}-02-28`]);
    for (const { dueAt, late } of [daily, monthly, once].flatMap(sentOf)) {
      expect([inBerlin(dueAt).slice(11), late]).toEqual(['09:00:00', false]);
    }
    const statusOf = async (id: string): Promise<string> =>
      (await world.api.send('GET', `/v1/users/${userId}/occasions/${id}`)).body.status;
    expect(await statusOf(once)).toBe('ended');
    expect(await statusOf(monthly)).toBe('active');
  },
);

interface Sent {
  readonly dueAt: string;
  readonly late: boolean;
}

function sentOf(id: string): Sent[] {
  const sent = world.receiver.received.filter(({ body }) => body.data.occasion?.id === id);
  return sent.map(({ body: { data } }) => ({ dueAt: data.occasion.dueAt, late: data.late }));
}

/** The days of sending in Berlin. */
function daysOf(id: string): string[] {
  return sentOf(id).map(({ dueAt }) => inBerlin(dueAt).slice(0, 10));
}

/** In the clocks' form there, by Intl: `2027-05-20 09:00:00`. */
function inBerlin(instant: string): string {
  return new Date(instant).toLocaleString('sv-SE', { timeZone: 'Europe/Berlin' });
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

async function openDateOf(id: string): Promise<string | undefined> {
  const [row] = await world.api.sql<{ date: string }>(
    `select nominal_date as date from events.occurrences
     where occasion_id = ? and state = 'PENDING'`,
    [id],
  );
  return row?.date;
}
