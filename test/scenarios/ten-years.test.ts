/** One leapling through ten years, two of them leap years, who moves and is corrected on the way. */
import { expect } from 'vitest';

import type { UserFields } from '../support/daybell.ts';
import { expectLateness, WAIT } from './support/expectations.ts';
import { useWorld } from './support/world.ts';

const HOUR = 3_600_000;

const { world, test } = useWorld();

interface Year {
  readonly localDate: string;
  /** 9:00 there, in UTC, computed by hand from the offset in the comment. */
  readonly greetedAt: string;
  readonly late?: boolean;
  readonly changes?: readonly (readonly [at: string, fields: UserFields])[];
}

/** The first comes after a leap year: the fourth and the eighth are leap years. */
const YEARS: readonly Year[] = [
  // Kathmandu, +05:45.
  {
    localDate: '02-28',
    greetedAt: '02-28T03:15:00.000Z',
    changes: [['08-01T00:00:00Z', { timezone: 'America/New_York' }]],
  },
  // New York in winter, -05:00.
  { localDate: '02-28', greetedAt: '02-28T14:00:00.000Z' },
  // Corrected before the day, and back after it; in summer -04:00.
  {
    localDate: '07-04',
    greetedAt: '07-04T13:00:00.000Z',
    changes: [
      ['01-15T00:00:00Z', { dateOfBirth: '2000-07-04' }],
      ['10-01T00:00:00Z', { dateOfBirth: '2000-02-29' }],
      ['10-02T00:00:00Z', { timezone: 'Australia/Lord_Howe' }],
    ],
  },
  // A leap year. Lord Howe in its summer, +11:00.
  {
    localDate: '02-29',
    greetedAt: '02-28T22:00:00.000Z',
    changes: [['06-01T00:00:00Z', { timezone: 'Pacific/Apia' }]],
  },
  // Apia, +13:00.
  { localDate: '02-28', greetedAt: '02-27T20:00:00.000Z' },
  // Moved after it, to where the day is still to come.
  {
    localDate: '02-28',
    greetedAt: '02-27T20:00:00.000Z',
    changes: [['02-27T23:00:00Z', { timezone: 'Pacific/Pago_Pago' }]],
  },
  // Moved before it, from -11:00 to +14:00, where the day has passed.
  {
    localDate: '02-28',
    greetedAt: '02-27T19:00:00.000Z',
    late: true,
    changes: [['02-28T15:00:00Z', { timezone: 'Pacific/Kiritimati' }]],
  },
  // A leap year.
  {
    localDate: '02-29',
    greetedAt: '02-28T19:00:00.000Z',
    changes: [['11-01T00:00:00Z', { dateOfBirth: '2000-12-24', timezone: 'Europe/Berlin' }]],
  },
  // Berlin in winter, +01:00.
  {
    localDate: '12-24',
    greetedAt: '12-24T08:00:00.000Z',
    changes: [['12-26T00:00:00Z', { dateOfBirth: '2000-02-29' }]],
  },
  { localDate: '02-28', greetedAt: '02-28T08:00:00.000Z' },
];

test('a leapling who moves and is corrected is greeted once in each of ten years, at 9:00 local time', async () => {
  const first = await yearAfterLeapYear();
  await world.passUntil(`${first}-01-10T00:00:00Z`);
  const userId = await world.createUser({
    dateOfBirth: '2000-02-29',
    timezone: 'Asia/Kathmandu',
  });

  for (const [index, { changes = [], late = false }] of YEARS.entries()) {
    for (const [at, fields] of changes) {
      await world.passUntil(`${first + index}-${at}`);
      await world.changeUser(userId, fields);
    }
    if (late) await expect.poll(() => world.greetingsOf(userId), WAIT).toHaveLength(index + 1);
  }
  await world.passUntil(`${first + YEARS.length}-01-10T00:00:00Z`);

  const greetings = world.greetingsOf(userId);
  expect(greetings).toMatchObject(
    YEARS.map(({ greetedAt, localDate, late = false }, index) => ({
      key: world.key(userId, first + index),
      dueAt: `${first + index}-${greetedAt}`,
      localDate: `${first + index}-${localDate}`,
      late,
    })),
  );
  for (const { latenessMs, late } of greetings) expectLateness(latenessMs, late ? 20 * HOUR : 0);
  const ledger = await world.ledgerOf(userId);
  expect(ledger.map(({ key, status, attempts }) => [key, status, attempts.length])).toEqual([
    ...YEARS.map((_, index) => [world.key(userId, first + index), 'COMPLETED', 1]),
    [world.key(userId, first + YEARS.length), 'PENDING', 0],
  ]);
});

/** Up to 2096, every fourth year is a leap year. */
async function yearAfterLeapYear(): Promise<number> {
  let year = await world.yearToCome();
  while (year % 4 !== 1) year += 1;
  return year;
}
