/** S12 of the table: everything is down for a day, or for three. 9:00 in Tokyo is 00:00Z. */
import { expect } from 'vitest';

import type { LedgerEntry } from './support/observe.ts';
import { useWorld } from './support/world.ts';

const HOUR = 3_600_000;
const PATIENT = { timeout: 180_000, interval: 200 };
const MAY_20 = { dateOfBirth: '1990-05-20', timezone: 'Asia/Tokyo' };
const MAY_21 = { dateOfBirth: '1985-05-21', timezone: 'Asia/Tokyo' };
const MAY_22 = { dateOfBirth: '1999-05-22', timezone: 'Asia/Tokyo' };
const LONG = { timeout: 480_000 };

const { world, test } = useWorld({ keepsWorkflows: false });

test(
  'S12 everything is down for 25 h: all are sent once, late and marked as late, and next year is planned',
  async () => {
    const year = await world.yearToCome();
    await world.passUntil(`${year}-05-19T12:00:00Z`);
    const asleep = [await world.createUser(MAY_20), await world.createUser(MAY_21)];
    for (const userId of asleep) await isPlanned(userId, 1);
    // Accepted, and not yet on its way to Temporal.
    await world.scheduler.stop();
    const waiting = await world.createUser(MAY_20);
    await world.goDown();

    await world.passUntil(`${year}-05-21T00:59:00Z`);
    for (const userId of [...asleep, waiting]) expect(world.greetingsOf(userId)).toEqual([]);
    await world.comeUp();

    for (const [userId, day] of [
      [asleep[0], 20],
      [asleep[1], 21],
      [waiting, 20],
    ] as const) {
      const dueAt = `${year}-05-${day}T00:00:00.000Z`;
      await nextYearIsPlanned(String(userId), dueAt);
      const greetings = world.greetingsOf(String(userId));
      expect(greetings).toMatchObject([{ dueAt, late: true }]);
      expect(greetings[0]?.latenessMs).toBeGreaterThanOrEqual(day === 20 ? 24 * HOUR : HOUR / 2);
    }
    await world.passUntil(`${year + 1}-05-19T00:00:00Z`);
    for (const userId of [...asleep, waiting]) expect(world.greetingsOf(userId)).toHaveLength(1);
  },
  LONG,
);

test(
  'S12 everything is down for 3 days: those over the late limit are SKIPPED and visible, the others sent, next year planned',
  async () => {
    const year = await world.yearToCome();
    await world.passUntil(`${year}-05-19T12:00:00Z`);
    const overLimit = await world.createUser(MAY_20);
    const within = await world.createUser(MAY_22);
    for (const userId of [overLimit, within]) await isPlanned(userId, 1);
    await world.scheduler.stop();
    const overLimitAndUnheard = await world.createUser(MAY_20);
    await world.goDown();

    await world.passUntil(`${year}-05-22T12:00:00Z`);
    await world.comeUp();

    for (const userId of [overLimit, overLimitAndUnheard]) {
      await nextYearIsPlanned(userId, `${year}-05-20T00:00:00.000Z`);
      expect(await world.ledgerOf(userId)).toMatchObject([
        { key: world.key(userId, year), status: 'SKIPPED', reason: 'too_late', attempts: [] },
        { status: 'PENDING' },
      ]);
      expect(world.greetingsOf(userId)).toEqual([]);
    }
    await nextYearIsPlanned(within, `${year}-05-22T00:00:00.000Z`);
    expect(world.greetingsOf(within)).toMatchObject([{ late: true }]);
    await world.passUntil(`${year + 1}-05-19T00:00:00Z`);
    expect(world.greetingsOf(within)).toHaveLength(1);
  },
  LONG,
);

async function isPlanned(userId: string, occurrences: number): Promise<LedgerEntry | undefined> {
  await expect.poll(() => world.ledgerOf(userId), PATIENT).toHaveLength(occurrences);
  return (await world.ledgerOf(userId)).at(-1);
}

async function nextYearIsPlanned(userId: string, dueAt: string): Promise<void> {
  const next = `${Number(dueAt.slice(0, 4)) + 1}${dueAt.slice(4)}`;
  expect(await isPlanned(userId, 2)).toMatchObject({ status: 'PENDING', dueAt: next });
}
