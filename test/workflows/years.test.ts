import { afterAll, beforeAll, expect, test } from 'vitest';

import { startTimeSkippingDaybell, type TimeSkippingDaybell } from '../support/time-skipping.ts';

let daybell: TimeSkippingDaybell;
beforeAll(async () => {
  daybell = await startTimeSkippingDaybell();
});
afterAll(() => daybell.stop());

test('a user is greeted once a year at 9:00 on the wall, on the 29th of February too, with at most 25 events a year', async () => {
  const start = await daybell.now();
  // In July, 9:00 in New York is 13:00Z; in Kathmandu, at +05:45, it is always 03:15Z.
  const summer = await daybell.createUser({
    dateOfBirth: '1990-07-04',
    timezone: 'America/New_York',
  });
  const leapling = await daybell.createUser({
    dateOfBirth: '2000-02-29',
    timezone: 'Asia/Kathmandu',
  });
  const thisYear = new Date(start).getUTCFullYear();
  const years = [0, 1, 2, 3, 4, 5].map((later) => thisYear + later);

  await daybell.skipTo(Date.UTC(thisYear + 5, 11, 31));

  const toCome = (instants: string[]) => instants.filter((instant) => Date.parse(instant) > start);
  expect(instantsOf(summer)).toEqual(toCome(years.map((year) => `${year}-07-04T13:00:00.000Z`)));
  expect(instantsOf(leapling)).toEqual(
    toCome(years.map((year) => `${year}-02-${isLeapYear(year) ? 29 : 28}T03:15:00.000Z`)),
  );
  const lateness = daybell.receiver.received.map(({ headers }) =>
    Number(headers['daybell-lateness-ms']),
  );
  expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...lateness)).toBeLessThan(60_000);

  for (const userId of [summer, leapling]) {
    const runs = await daybell.historiesOf(userId);
    // A run for each birthday, and the one that is asleep.
    expect(runs).toHaveLength(instantsOf(userId).length + 1);
    expect(Math.max(...runs.map((events) => events.length))).toBeLessThanOrEqual(25);
  }
});

function instantsOf(userId: string): string[] {
  return daybell.greetingsOf(userId).map(({ body }) => body.data.scheduledFor);
}

function isLeapYear(year: number): boolean {
  return new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1;
}
