/** Occasions of every kind in audits: what is due, and what became of it. */
import { describe, expect, test } from 'vitest';

import {
  counted,
  DAY,
  HOUR,
  MINUTE,
  type OccasionInputs,
  useAuditFixture,
} from '../support/audit-fixture.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

const fixture = useAuditFixture();

const SPRING = Date.UTC(2026, 3, 1);
/** Its birthday is not due in the days below. */
const USER = { dateOfBirth: '1990-11-11', timezone: 'Europe/Berlin' };
const MAY_20 = '2026-05-20';
const NINE_O_CLOCK = Date.UTC(2026, 4, 20, 7);

type Given = Partial<OccasionInputs> & Pick<OccasionInputs, 'recurrence'>;

/** An occasion of a user in Berlin since spring, never planned; returns its id. */
async function addOccasion(inputs: Given, at = SPRING): Promise<string> {
  const userId = await fixture.add(USER, SPRING, false);
  return fixture.addOccasion(userId, { type: 'reminder', ...inputs }, at, false);
}

/** Nothing has been planned: the keys of everything due are unaccounted for. */
async function dueOn(day: string): Promise<string[]> {
  const report = await fixture.audit(day, Date.UTC(2030, 0, 1));
  return [...report.unaccounted.first].toSorted();
}

async function userOf(id: string): Promise<string> {
  const [row] = await fixture.sql<{ userId: string }>(
    'select user_id as "userId" from users.occasion_periods where occasion_id = :id limit 1',
    { id },
  );
  return row?.userId ?? '';
}

/** The row of an occasion in Berlin on a day, column by column; returns the key. */
async function plantRow(
  id: string,
  day: string,
  inputs: Given,
  columns: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  return plantOccurrence(fixture.sql, {
    occasion_type: inputs.type ?? 'reminder',
    occasion_id: id,
    user_id: await userOf(id),
    recurrence: inputs.recurrence,
    date: inputs.date,
    offset_days: inputs.offsetDays ?? 0,
    nominal_date: day,
    due_at: `${day}T07:00:00Z`,
    ...columns,
  });
}

describe('what is due on a day', () => {
  test.each<[string, Given, readonly string[], readonly string[]]>([
    ['once', { recurrence: 'once', date: MAY_20 }, [MAY_20], ['2026-05-19', '2027-05-20']],
    ['daily', { recurrence: 'daily', date: '2026-05-19' }, ['2026-05-19', MAY_20], ['2026-05-18']],
    ['weekly', { recurrence: 'weekly', date: '2026-05-06' }, [MAY_20], ['2026-05-21']],
    [
      'monthly on the 31st',
      { recurrence: 'monthly', date: '2026-01-31' },
      ['2026-05-31', '2026-06-30', '2027-02-28'],
      ['2026-05-30', '2026-07-01', '2026-07-30'],
    ],
    [
      'yearly, from its date on',
      { type: 'subscription', recurrence: 'yearly', date: MAY_20 },
      [MAY_20, '2027-05-20'],
      ['2026-05-21', '2027-05-19'],
    ],
    [
      'an anniversary, from a year later on',
      { type: 'anniversary', recurrence: 'birthday', date: MAY_20 },
      ['2027-05-20'],
      [MAY_20],
    ],
    [
      'an anniversary of 29 February',
      { type: 'anniversary', recurrence: 'birthday', date: '2024-02-29' },
      ['2027-02-28', '2028-02-29'],
      ['2027-03-01', '2028-02-28'],
    ],
    [
      'a week before a renewal, in the year before',
      { type: 'subscription', recurrence: 'yearly', date: '2027-01-03', offsetDays: 7 },
      ['2026-12-27', '2027-12-27'],
      ['2027-01-03'],
    ],
    [
      'three days before the last of the month',
      { recurrence: 'monthly', date: '2026-01-31', offsetDays: 3 },
      ['2026-05-28', '2027-02-25'],
      ['2026-05-31', '2027-02-28'],
    ],
    [
      'before the birthday, whatever it is',
      { type: 'birthday-reminder', recurrence: 'birthday', date: null, offsetDays: 3 },
      ['2026-11-08'],
      ['2026-11-14'],
    ],
    [
      'by a rule: the last Friday of the month',
      { recurrence: 'rrule', rrule: 'FREQ=MONTHLY;BYDAY=-1FR', date: '2026-05-01' },
      ['2026-05-29', '2026-06-26'],
      ['2026-05-22', '2026-06-12'],
    ],
  ])('%s', async (_name, inputs, days, others) => {
    const id = await addOccasion(inputs);
    const about = async (day: string) =>
      (await dueOn(day)).filter((key) => key.startsWith(`${inputs.type ?? 'reminder'}:${id}:`));
    for (const day of days) expect([day, await about(day)]).toEqual([day, [expect.any(String)]]);
    for (const day of others) expect([day, await about(day)]).toEqual([day, []]);
  });

  test('has its key from the nominal date: a year if it is yearly, a day otherwise', async () => {
    const yearly = await addOccasion({
      type: 'subscription',
      recurrence: 'yearly',
      date: '2026-01-02',
      offsetDays: 5,
    });
    const monthly = await addOccasion({ recurrence: 'monthly', date: '2026-01-31' });
    expect(await dueOn('2026-12-28')).toEqual([`subscription:${yearly}:2027`]);
    expect(await dueOn('2027-02-28')).toEqual([`reminder:${monthly}:2027-02-31`]);
  });

  test('in a zone that skipped it, is on the next day, even for a single day', async () => {
    const long = Date.UTC(2011, 0, 1);
    const userId = await fixture.add({ ...USER, timezone: 'Pacific/Apia' }, long, false);
    const once = { type: 'reminder', recurrence: 'once', date: '2011-12-30' };
    const id = await fixture.addOccasion(userId, once, long, false);
    expect(await dueOn('2011-12-30')).toEqual([]);
    expect(await dueOn('2011-12-31')).toEqual([`reminder:${id}:2011-12-30`]);
  });

  test('uses the local time of the occasion, else of the user, else of the installation', async () => {
    // Created at ten, on the day.
    const at = NINE_O_CLOCK + HOUR;
    const daily = { recurrence: 'daily', date: MAY_20 };
    await addOccasion(daily, at);
    const own = await addOccasion({ ...daily, deliveryTime: '12:00' }, at);
    const moved = await addOccasion({ ...daily, timezone: 'America/New_York' }, at);
    expect(await dueOn(MAY_20)).toEqual(
      [`reminder:${own}:${MAY_20}`, `reminder:${moved}:${MAY_20}`].toSorted(),
    );
  });

  test('excludes occasions that ended before, or began after', async () => {
    const daily = { recurrence: 'daily', date: '2026-01-01' };
    const ended = await addOccasion(daily);
    await fixture.removeOccasion(ended, NINE_O_CLOCK - 1, false);
    await addOccasion(daily, NINE_O_CLOCK);
    const corrected = await addOccasion({ recurrence: 'once', date: MAY_20 });
    await fixture.changeOccasion(corrected, { date: '2026-06-20' }, NINE_O_CLOCK - DAY, false);
    expect(await dueOn(MAY_20)).toEqual([]);
  });
});

test('a change of the offset may make an occurrence due on a day that was past by then', async () => {
  const inputs = { recurrence: 'once', date: '2026-06-10' };
  const id = await addOccasion(inputs);
  // It was due on 10 June; with the new offset it was due on 20 May.
  const changed = NINE_O_CLOCK + 3 * DAY;
  await fixture.changeOccasion(id, { offsetDays: 21 }, changed, false);
  const key = `reminder:${id}:2026-06-10`;
  expect(await dueOn(MAY_20)).toEqual([key]);
  const columns = { nominal_date: '2026-06-10', local_date: MAY_20 };
  await plantRow(id, MAY_20, { ...inputs, offsetDays: 21 }, { ...columns, state: 'COMPLETED' });
  expect(counted(await fixture.audit(MAY_20, changed + DAY))).toEqual({ due: 1, delivered: 1 });
  expect(counted(await fixture.audit('2026-06-10', changed + DAY))).toEqual({});
});

test('one that was sent a week before, and is due again on its day by another offset, counts as changed', async () => {
  const inputs = { recurrence: 'once', date: '2026-05-27', offsetDays: 7 };
  const id = await addOccasion(inputs);
  const columns = { state: 'COMPLETED', nominal_date: '2026-05-27', local_date: MAY_20 };
  await plantRow(id, MAY_20, inputs, columns);
  await fixture.changeOccasion(id, { offsetDays: 0 }, NINE_O_CLOCK + DAY, false);
  const later = NINE_O_CLOCK + 20 * DAY;
  expect(counted(await fixture.audit(MAY_20, later))).toEqual({ due: 1, delivered: 1 });
  expect(counted(await fixture.audit('2026-05-27', later))).toEqual({ due: 1, changedSince: 1 });
});

describe('what became of it', () => {
  const DAILY = { recurrence: 'daily', date: '2026-05-01' };

  test('a day of all types has each in its class and under its type', async () => {
    const yearly = { type: 'subscription', recurrence: 'yearly', date: MAY_20 };
    await plantRow(await addOccasion(yearly), MAY_20, yearly, { state: 'COMPLETED' });
    const daily = await addOccasion(DAILY);
    await plantRow(daily, MAY_20, DAILY, { state: 'SKIPPED', reason: 'superseded' });
    const once = { recurrence: 'once', date: MAY_20 };
    await plantRow(await addOccasion(once), MAY_20, once, { state: 'FAILED', reason: 'gone' });
    const missing = await addOccasion({ recurrence: 'weekly', date: '2026-05-06' });
    await fixture.add({ ...USER, dateOfBirth: '1990-05-20' }, SPRING, false);
    const report = await fixture.audit(MAY_20, NINE_O_CLOCK + 10 * DAY);
    expect(counted(report)).toEqual({
      due: 5,
      delivered: 1,
      failed: 1,
      superseded: 1,
      unaccounted: 2,
    });
    expect(report.unaccounted.first).toContain(`reminder:${missing}:${MAY_20}`);
    expect(report.types).toMatchObject([
      { type: 'birthday', due: 1, unaccounted: 1 },
      { type: 'reminder', due: 3, failed: { total: 1 }, skipped: { total: 1 }, unaccounted: 1 },
      { type: 'subscription', due: 1, delivered: 1, unaccounted: 0 },
    ]);
  });

  test('the next one fell due while this one was still being attempted', async () => {
    const id = await addOccasion(DAILY);
    await plantRow(id, MAY_20, DAILY, { attempts: 3, next_attempt_at: '2026-05-21T08:00:00Z' });
    const soon = await fixture.audit('2026-05-21', NINE_O_CLOCK + DAY + 5 * MINUTE);
    expect(counted(soon)).toEqual({ due: 1, behind: 1 });
  });

  test('it was skipped while suspended, if the history says so', async () => {
    const id = await addOccasion(DAILY);
    await plantRow(id, MAY_20, DAILY, { state: 'SKIPPED', reason: 'suspended' });
    const later = NINE_O_CLOCK + DAY;
    expect(counted(await fixture.audit(MAY_20, later))).toEqual({ due: 1, unaccounted: 1 });
    await fixture.suspend(await userOf(id), true, NINE_O_CLOCK - HOUR);
    expect(counted(await fixture.audit(MAY_20, later))).toEqual({ due: 1, suspended: 1 });
  });

  test('it was deleted before it was sent, with its user or alone', async () => {
    const alone = await addOccasion(DAILY);
    await fixture.removeOccasion(alone, NINE_O_CLOCK + HOUR, false);
    const skipped = { state: 'SKIPPED', reason: 'occasion_deleted' };
    await plantRow(alone, MAY_20, DAILY, skipped);
    const withUser = await addOccasion(DAILY);
    await fixture.remove(await userOf(withUser), NINE_O_CLOCK + HOUR, false);
    expect(counted(await fixture.audit(MAY_20, NINE_O_CLOCK + DAY))).toEqual({
      due: 2,
      deleted: 2,
    });
  });

  test('it was deleted by hand, so that the history is still open', async () => {
    const id = await addOccasion(DAILY);
    await fixture.sql('delete from users.occasions where id = :id', { id });
    await fixture.sql(
      `insert into events.occasions (type, id, user_id, ended_at)
       values ('reminder', :id, :userId, to_timestamp(:at::float8 / 1000))`,
      { id, userId: await userOf(id), at: NINE_O_CLOCK + HOUR },
    );
    const later = NINE_O_CLOCK + 10 * DAY;
    expect(counted(await fixture.audit(MAY_20, later))).toEqual({ due: 1, deleted: 1 });
    expect(counted(await fixture.audit('2026-05-22', later))).toEqual({});
  });

  test('it is overdue, however late, while its destination is paused; and unaccounted for after that', async () => {
    const id = await addOccasion(DAILY);
    await plantRow(id, MAY_20, DAILY);
    const tenDaysLater = NINE_O_CLOCK + 10 * DAY;
    const at = async () => counted(await fixture.audit(MAY_20, tenDaysLater));
    expect(await at()).toEqual({ due: 1, unaccounted: 1 });
    await fixture.sql('update events.destinations set paused_at = now()');
    expect(await at()).toEqual({ due: 1, overdue: 1 });
    // The following days wait for it.
    const next = await fixture.audit('2026-05-25', tenDaysLater);
    expect(counted(next)).toEqual({ due: 1, behind: 1 });
    await fixture.sql('update events.destinations set paused_at = null');
  });

  test('it is overdue for as long as its type allows', async () => {
    const id = await addOccasion(DAILY);
    await plantRow(id, MAY_20, DAILY);
    const at = async (days: number) =>
      counted(await fixture.audit(MAY_20, NINE_O_CLOCK + days * DAY));
    await fixture.sql(
      `insert into events.occasion_types (type, late_limit_ms) values ('reminder', ${5 * DAY})`,
    );
    expect(await at(4)).toEqual({ due: 1, overdue: 1 });
    expect(await at(6)).toEqual({ due: 1, unaccounted: 1 });
    await fixture.sql(`update events.occasion_types set late_limit_ms = null, when_late = 'skip'`);
    expect(await at(1)).toEqual({ due: 1, unaccounted: 1 });
  });

  test('a row was sent although no occasion was due', async () => {
    const weekly = { recurrence: 'weekly', date: '2026-05-07' };
    const id = await addOccasion(weekly);
    const key = await plantRow(id, MAY_20, weekly, { state: 'COMPLETED' });
    const report = await fixture.audit(MAY_20, NINE_O_CLOCK + DAY);
    expect(report.unexpected).toEqual({ count: 1, first: [key] });
    expect(report.types).toMatchObject([{ type: 'reminder', due: 0, unexpected: 1 }]);
  });
});
