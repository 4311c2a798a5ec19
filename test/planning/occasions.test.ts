/**
 * Occasions of users besides the birthday: the inputs that they are planned with, and what ends
 * them.
 */
import { describe, expect, test } from 'vitest';

import type { OccasionRef } from '../../src/ledger/types.ts';
import { statusOf } from '../../src/users/occasion-status.ts';
import { occasionFields } from '../support/occasions.ts';
import { DAY, HOUR, SPRING, usePlanningFixture } from '../support/planning-fixture.ts';
import { bundledTz } from '../support/tz-databases.ts';

const fixture = usePlanningFixture();

/** Of a new user in Berlin, or the given one. */
async function add(
  fields: Readonly<Record<string, unknown>> = {},
  userId?: string,
): Promise<OccasionRef & { readonly userId: string }> {
  const owner = userId ?? (await fixture.rows.addUser());
  const { id, type } = await fixture.occasions.create(owner, occasionFields(fields));
  return { type, id, userId: owner };
}

const rowsOf = ({ id }: OccasionRef) =>
  fixture.rows.sql<{ nominal: string; state: string; reason: string | null; due: string | null }>(
    `select nominal_date as nominal, state, reason,
       to_char(due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as due
     from events.occurrences where occasion_id = ? order by nominal_date, key`,
    [id],
  );

/** `2026-05-20 COMPLETED`, and why it ended. */
const storyOf = async (occasion: OccasionRef): Promise<string[]> =>
  (await rowsOf(occasion)).map(({ nominal, state, reason }) =>
    [nominal, state, reason].filter(Boolean).join(' '),
  );

/** When the open row is due, in UTC. */
async function plannedFor(occasion: OccasionRef, at?: number): Promise<string | null | undefined> {
  await fixture.planOccasion(occasion, at);
  return (await rowsOf(occasion)).find(({ state }) => state === 'PENDING')?.due;
}

const at = (text: string): number => Date.parse(text);

describe('the inputs of an occasion', () => {
  test('are its own date, offset, zone and time of day', async () => {
    const occasion = await add({
      type: 'renewal',
      date: '2020-05-27',
      recurrence: 'yearly',
      offsetDays: 7,
      timezone: 'Asia/Tokyo',
      deliveryTime: '08:30',
    });
    expect(await plannedFor(occasion)).toBe('2026-05-19 23:30');
    const [row] = await fixture.rows.sql(
      `select key, recurrence, rrule, offset_days as offset, local_date::text as date, destination
       from events.occurrences where occasion_id = ?`,
      [occasion.id],
    );
    expect(row).toEqual({
      key: `renewal:${occasion.id}:2026`,
      recurrence: 'yearly',
      rrule: null,
      offset: 7,
      date: '2026-05-20',
      destination: 'default',
    });
  });

  test("include its own time of day, which precedes the user's, the type's and the installation's", async () => {
    const occasion = await add({ type: 'standup' });
    expect(await plannedFor(occasion)).toBe('2026-04-01 07:00');
    await fixture.setType('standup', { deliveryTime: '10:00' });
    expect(await plannedFor(occasion)).toBe('2026-04-01 08:00');
    await fixture.users.update(occasion.userId, { deliveryTime: '11:00' });
    expect(await plannedFor(occasion)).toBe('2026-04-01 09:00');
    await fixture.occasions.update(occasion.userId, occasion.id, { deliveryTime: '12:00' });
    expect(await plannedFor(occasion)).toBe('2026-04-01 10:00');
  });

  test('include its own zone, which stays when the user moves; without one, it follows the user', async () => {
    const tokyo = await add({ date: '2026-04-02', timezone: 'Asia/Tokyo' });
    const berlin = await add({ date: '2026-04-02' }, tokyo.userId);
    await fixture.users.update(tokyo.userId, { timezone: 'America/New_York' });
    expect(await plannedFor(tokyo)).toBe('2026-04-02 00:00');
    expect(await plannedFor(berlin)).toBe('2026-04-02 13:00');
  });

  test("include the type's policy for nonexistent days", async () => {
    await fixture.setType('pay-day', { leapDayPolicy: 'mar1' });
    const month = { date: '2026-01-31', recurrence: 'monthly' };
    const [forward, backward] = [await add({ type: 'pay-day', ...month }), await add(month)];
    expect(await plannedFor(forward)).toBe('2026-05-01 07:00');
    expect(await plannedFor(backward)).toBe('2026-04-30 07:00');
  });

  test('include the date of birth, for a reminder of the birthday; an anniversary begins a year later', async () => {
    const reminder = await add({
      type: 'birthday-reminder',
      date: null,
      recurrence: undefined,
      offsetDays: 3,
    });
    expect(await plannedFor(reminder)).toBe('2026-05-17 07:00');
    expect((await rowsOf(reminder))[0]?.nominal).toBe('2026-05-20');
    await fixture.users.update(reminder.userId, { dateOfBirth: '1990-06-20' });
    expect(await plannedFor(reminder)).toBe('2026-06-17 07:00');
    expect(await storyOf(reminder)).toEqual(['2026-06-20 PENDING']);

    const wedding = await add({ type: 'anniversary', date: '2026-05-02', recurrence: undefined });
    expect(await plannedFor(wedding)).toBe('2027-05-02 07:00');
  });
});

describe('a one-off occasion', () => {
  test('that was due before its creation has ended', async () => {
    const past = await add({ date: '2026-03-31', recurrence: 'once' });
    expect(await fixture.planOccasion(past)).toMatchObject({ kind: 'ended' });
    expect(await rowsOf(past)).toEqual([]);
  });

  test('has ended once it is sent; with another date it is sent again, but not with the first', async () => {
    const once = await add({ date: '2026-04-10', recurrence: 'once' });
    expect(await plannedFor(once)).toBe('2026-04-10 07:00');
    await fixture.setClock(at('2026-04-10T07:00:00Z'));
    await fixture.send('delivered');
    expect(await fixture.planOccasion(once)).toMatchObject({ kind: 'ended' });

    await fixture.occasions.update(once.userId, once.id, { date: '2026-04-12' });
    expect(await plannedFor(once)).toBe('2026-04-12 07:00');
    await fixture.occasions.update(once.userId, once.id, { date: '2026-04-10' });
    expect(await fixture.planOccasion(once)).toMatchObject({ kind: 'ended' });
    expect(await storyOf(once)).toEqual(['2026-04-10 COMPLETED']);

    await fixture.occasions.update(once.userId, once.id, { date: '2026-04-12' });
    await fixture.planOccasion(once);
    await fixture.setClock(at('2026-04-12T07:00:00Z'));
    await fixture.send('delivered');
    expect(await fixture.planOccasion(once)).toMatchObject({ kind: 'ended' });
    expect(await storyOf(once)).toEqual(['2026-04-10 COMPLETED', '2026-04-12 COMPLETED']);
  });
});

describe('a rule that is over', () => {
  /** In the API and in the ledger. */
  async function endOf({ type, id, userId }: OccasionRef & { readonly userId: string }) {
    const settings = { localTime: '09:00', leapDayPolicy: 'feb28' } as const;
    const occasion = await fixture.occasions.get(userId, id);
    const [row] = await fixture.rows.sql<{ hasEnded: boolean }>(
      `select ended_at is not null as "hasEnded" from events.occasions
       where type = :type and id = :id::uuid`,
      { type, id },
    );
    return { status: statusOf(occasion, settings, fixture.now, bundledTz), ...row };
  }

  test.each(['COUNT=3', 'UNTIL=20260403'])(
    'by %s, has ended, and this can be seen; a later UNTIL revives it, and owes nothing for the days between',
    async (end) => {
      const rule = await add({ date: '2026-04-01', rrule: `FREQ=DAILY;${end}` });
      for (const day of ['2026-04-01', '2026-04-02', '2026-04-03']) {
        expect(await plannedFor(rule)).toBe(`${day} 07:00`);
        expect(await endOf(rule)).toEqual({ status: 'active', hasEnded: false });
        await fixture.setClock(at(`${day}T07:00:00Z`));
        await fixture.send('delivered');
      }
      expect(await fixture.planOccasion(rule)).toMatchObject({ kind: 'ended' });
      expect(await endOf(rule)).toEqual({ status: 'ended', hasEnded: true });

      await fixture.setClock(at('2026-04-05T12:00:00Z'));
      const rrule = 'FREQ=DAILY;UNTIL=20260406';
      await fixture.occasions.update(rule.userId, rule.id, { rrule });
      expect(await plannedFor(rule)).toBe('2026-04-06 07:00');
      expect(await endOf(rule)).toEqual({ status: 'active', hasEnded: false });
      await fixture.setClock(at('2026-04-06T07:00:00Z'));
      await fixture.send('delivered');
      expect(await fixture.planOccasion(rule)).toMatchObject({ kind: 'ended' });
      expect(await storyOf(rule)).toEqual(
        ['01', '02', '03', '06'].map((day) => `2026-04-${day} COMPLETED`),
      );
    },
  );
});

test.each(['birthday', 'anniversary'])(
  'a yearly day (%s) that was sent on 30 December and is corrected the day after to 2 January is sent again: under the key of the next year',
  async (type) => {
    await fixture.setClock(at('2026-12-01T00:00:00Z'));
    const userId = await fixture.rows.addUser({ dateOfBirth: '1990-12-30' });
    const occasion =
      type === 'birthday'
        ? { type, id: userId }
        : await add({ type, date: '1990-12-30', recurrence: undefined }, userId);
    expect(await plannedFor(occasion)).toBe('2026-12-30 08:00');
    await fixture.setClock(at('2026-12-30T08:00:00Z'));
    await fixture.send('delivered');

    await fixture.setClock(at('2026-12-31T08:00:00Z'));
    if (type === 'birthday') await fixture.users.update(userId, { dateOfBirth: '1990-01-02' });
    else await fixture.occasions.update(userId, occasion.id, { date: '1990-01-02' });
    expect(await fixture.planOccasion(occasion)).toMatchObject({
      occurrenceKey: `${type}:${occasion.id}:2027`,
      dueAt: at('2027-01-02T08:00:00Z'),
    });
    await fixture.setClock(at('2027-01-02T08:00:00Z'));
    await fixture.send('delivered');
    await fixture.planOccasion(occasion);
    expect(await storyOf(occasion)).toEqual([
      '2026-12-30 COMPLETED',
      '2027-01-02 COMPLETED',
      '2028-01-02 PENDING',
    ]);
  },
);

describe('a recurrence that is changed', () => {
  const TOKYO_NINE = at('2026-05-20T00:00:00Z');
  const yearly = {
    type: 'renewal',
    date: '2020-05-20',
    recurrence: 'yearly',
    timezone: 'Asia/Tokyo',
  };

  test('does not send the day again, although its key and its zone are different', async () => {
    const occasion = await add(yearly);
    await fixture.planOccasion(occasion);
    await fixture.setClock(TOKYO_NINE);
    await fixture.send('delivered');
    await fixture.setClock(TOKYO_NINE + HOUR);
    await fixture.occasions.update(occasion.userId, occasion.id, {
      recurrence: 'monthly',
      timezone: 'America/New_York',
    });
    expect(await plannedFor(occasion)).toBe('2026-06-20 13:00');
    expect(await plannedFor(occasion, at('2026-05-20T13:00:01Z'))).toBe('2026-06-20 13:00');
    expect(await storyOf(occasion)).toEqual(['2026-05-20 COMPLETED', '2026-06-20 PENDING']);
  });

  test('continues with what is being attempted, under the key that it has', async () => {
    const occasion = await add(yearly);
    await fixture.planOccasion(occasion);
    await fixture.setClock(TOKYO_NINE);
    await fixture.send('retry');
    await fixture.setClock(TOKYO_NINE + HOUR);
    await fixture.occasions.update(occasion.userId, occasion.id, { recurrence: 'monthly' });
    expect(await fixture.planOccasion(occasion)).toMatchObject({
      occurrenceKey: `renewal:${occasion.id}:2026`,
      dueAt: TOKYO_NINE,
    });
  });

  test('before it falls due gives it another key', async () => {
    const occasion = await add(yearly);
    await fixture.planOccasion(occasion);
    await fixture.occasions.update(occasion.userId, occasion.id, { recurrence: 'daily' });
    expect(await fixture.planOccasion(occasion, SPRING + HOUR)).toMatchObject({
      occurrenceKey: `renewal:${occasion.id}:2026-04-02`,
    });
    expect(await storyOf(occasion)).toEqual(['2026-04-02 PENDING']);
  });
});

describe('ten days', () => {
  const days = (count: number, end: string) =>
    Array.from(
      { length: count },
      (_, index) => `2026-04-${String(index + 1).padStart(2, '0')} ${end}`,
    );

  test('without deliveries: the last day is still sent, all others are accounted for', async () => {
    const daily = await add();
    await fixture.planOccasion(daily);
    expect(await plannedFor(daily, SPRING + 10 * DAY + 8 * HOUR)).toBe('2026-04-11 07:00');
    expect(await storyOf(daily)).toEqual([...days(10, 'SKIPPED superseded'), '2026-04-11 PENDING']);
  });

  test('without deliveries, and deleted on the last: every day is accounted for', async () => {
    const daily = await add();
    await fixture.planOccasion(daily);
    await fixture.setClock(SPRING + 9 * DAY + 8 * HOUR);
    await fixture.occasions.delete(daily.userId, daily.id);
    expect(await fixture.planOccasion(daily)).toMatchObject({ kind: 'ended' });
    expect(await storyOf(daily)).toEqual([
      ...days(9, 'SKIPPED superseded'),
      '2026-04-10 SKIPPED occasion_deleted',
    ]);
  });

  test('suspended: none of them is sent, not even late after the suspension is lifted', async () => {
    const daily = await add({ suspended: true });
    await fixture.planOccasion(daily);
    await fixture.setClock(SPRING + 9 * DAY + 8 * HOUR);
    await fixture.occasions.update(daily.userId, daily.id, { suspended: false });
    expect(await plannedFor(daily)).toBe('2026-04-11 07:00');
    expect(await storyOf(daily)).toEqual([...days(10, 'SKIPPED suspended'), '2026-04-11 PENDING']);
  });
});

describe('an occasion that is deleted', () => {
  test('settles its rows, redeliveries too, and those of its user stay', async () => {
    const occasion = await add({ date: '2026-04-05' });
    const other = await add({ date: '2026-04-05' }, occasion.userId);
    for (const one of [occasion, other]) await fixture.planOccasion(one);
    await fixture.setClock(at('2026-04-05T07:00:00Z'));
    await fixture.send('refused');
    for (const one of [occasion, other]) await fixture.planOccasion(one);
    await fixture.redelivery.redeliver(`reminder:${occasion.id}:2026-04-05`, { force: false });

    await fixture.occasions.delete(occasion.userId, occasion.id);
    expect(await fixture.planOccasion(occasion)).toMatchObject({ kind: 'ended' });
    expect(await storyOf(occasion)).toEqual([
      '2026-04-05 FAILED occasion_deleted',
      '2026-04-06 SKIPPED occasion_deleted',
    ]);
    expect(await storyOf(other)).toEqual(['2026-04-05 FAILED refused', '2026-04-06 PENDING']);
    await expect(
      fixture.redelivery.redeliver(`reminder:${occasion.id}:2026-04-05`, { force: true }),
    ).rejects.toMatchObject({ code: 'occasion-deleted' });
  });
});
