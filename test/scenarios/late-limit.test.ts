/** S4 of the table with a late limit that the move exceeds: SKIPPED. */
import { expect } from 'vitest';

import { daysFrom } from './support/expectations.ts';
import { useWorld } from './support/world.ts';

const HOUR = 3_600_000;

const { world, test } = useWorld({ lateLimitMs: 19 * HOUR });

/** Pago Pago is 25 hours behind Kiritimati, where 9:00 was 20 hours ago. */
for (const { born, due, dueYear } of [
  { born: '05-20', due: '05-19T19:00:00.000Z', dueYear: 0 },
  { born: '01-01', due: '12-31T19:00:00.000Z', dueYear: -1 },
]) {
  const dueIn = (year: number) => `${year + dueYear}-${due}`;

  test(`S4 born on ${born}, moved from Pago Pago to Kiritimati over the late limit: SKIPPED with the reason`, async () => {
    const year = await world.yearToCome();
    await world.passUntil(daysFrom(dueIn(year), -100));
    const userId = await world.createUser({
      dateOfBirth: `1990-${born}`,
      timezone: 'Pacific/Pago_Pago',
    });
    await world.passUntil(`${year}-${born}T15:00:00Z`);

    await world.changeUser(userId, { timezone: 'Pacific/Kiritimati' });

    const next = dueIn(year + 1);
    expect(await world.ledgerOf(userId)).toMatchObject([
      {
        key: world.key(userId, year),
        status: 'SKIPPED',
        reason: 'too_late',
        dueAt: dueIn(year),
        attempts: [],
      },
      { key: world.key(userId, year + 1), status: 'PENDING', reason: null, dueAt: next },
    ]);
    await world.passUntil(daysFrom(next, 1));
    expect(world.greetingsOf(userId)).toMatchObject([{ key: world.key(userId, year + 1) }]);
  });
}
