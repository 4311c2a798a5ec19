import { randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { createAuditView } from '../../src/audit/read-audit.ts';
import { readSnapshot } from '../../src/ledger/sql.ts';
import {
  counted,
  DAY,
  HOUR,
  type Inputs,
  MINUTE,
  useAuditFixture,
} from '../support/audit-fixture.ts';
import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';

const fixture = useAuditFixture();

const BERLIN = { dateOfBirth: '1990-05-20', timezone: 'Europe/Berlin' };
const MAY_20 = '2026-05-20';
/** In Berlin. */
const NINE_O_CLOCK = Date.UTC(2026, 4, 20, 7);
const SPRING = Date.UTC(2026, 3, 1);
const LATER = NINE_O_CLOCK + 10 * DAY;

const keyOf = (userId: string, year = 2026) => `birthday:${userId}:${year}`;
const iso = (at: number) => new Date(at).toISOString();

type Columns = Readonly<Record<string, unknown>>;

/** A user in Berlin since spring, never planned. */
function addUser(inputs: Partial<Inputs> = {}, at = SPRING): Promise<string> {
  return fixture.add({ ...BERLIN, ...inputs }, at, false);
}

/** The row of a user's birthday on 20 May in Berlin, column by column; returns the key. */
function plantRow(user_id: string, columns: Columns = {}): Promise<string> {
  return plantOccurrence(fixture.sql, { user_id, ...columns });
}

/** A user in Berlin whose birthday was delivered; returns the key. */
async function addDelivered(lateMs = 40): Promise<string> {
  const key = await plantRow(await addUser(), {
    state: 'COMPLETED',
    delivered_at: iso(NINE_O_CLOCK + lateMs),
    lateness_ms: lateMs,
  });
  await plantAttempt(fixture.sql, key);
  return key;
}

async function loseRow(key: string): Promise<void> {
  await fixture.sql('delete from events.attempts where occurrence_key = :key', { key });
  await fixture.sql('delete from events.occurrences where key = :key', { key });
}

describe('an audit finds', () => {
  test('a missing row, and omits no other', async () => {
    await addDelivered();
    const missing = await addDelivered();
    await loseRow(missing);
    const report = await fixture.audit(MAY_20, LATER);
    expect(counted(report)).toEqual({ due: 2, delivered: 1, unaccounted: 1 });
    expect(report.unaccounted.first).toEqual([missing]);
  });

  test('a user without any row, planned or settled', async () => {
    const userId = await addUser();
    const report = await fixture.audit(MAY_20, LATER);
    expect(report.unaccounted).toEqual({ count: 1, first: [keyOf(userId)] });
  });

  test('a second row for one occurrence', async () => {
    const key = await addDelivered();
    const [, user_id = ''] = key.split(':');
    const second = await plantRow(user_id, { key: `${key}-again`, state: 'COMPLETED' });
    const report = await fixture.audit(MAY_20, LATER);
    expect(counted(report)).toEqual({ due: 1, delivered: 1, doubles: 1 });
    expect(report.doubles.first).toEqual([second]);
  });

  test('an occurrence that was delivered by two attempts, unless that was requested', async () => {
    const key = await addDelivered();
    await plantAttempt(fixture.sql, key, { number: 2 });
    const report = await fixture.audit(MAY_20, LATER);
    expect(counted(report)).toEqual({ due: 1, delivered: 1, doubles: 1 });
    expect(report.doubles.first).toEqual([key]);

    await fixture.sql(
      'update events.occurrences set redeliveries = 1, redelivered_at = now(), forced_at = now()',
    );
    expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({ due: 1, delivered: 1 });
  });

  const STRANGER = randomUUID();
  const MARCH = { date: '1990-03-20', nominal_date: '2026-03-20' };
  test.each<[string, Partial<Inputs> | null, Columns]>([
    ['a user who never was', null, {}],
    ['another zone', {}, { timezone: 'Asia/Tokyo' }],
    ['another date', {}, { date: '1990-05-21' }],
    ['a user born on another day', { dateOfBirth: '1990-12-01' }, {}],
    ['another local time', {}, { local_time: '08:00' }],
    ['another leap-day policy', {}, { leap_day_policy: 'mar1' }],
    ['the day of birth', { dateOfBirth: '2026-05-20' }, { date: '2026-05-20' }],
    ['another nominal date', {}, { nominal_date: '2026-05-21', local_date: MAY_20 }],
    ['another key', {}, { key: 'birthday:nobody:2026' }],
    ['another user', {}, { user_id: STRANGER }],
    ['another day', { dateOfBirth: '1990-03-20' }, { ...MARCH, local_date: MAY_20 }],
    ['a local date far from its instant', {}, { local_date: '2026-01-01' }],
    ['a user who was created after nine', {}, {}],
  ])('a row that was sent although nothing fell due: %s', async (_of, inputs, columns) => {
    const noon = NINE_O_CLOCK + 3 * HOUR;
    const id = inputs === null ? randomUUID() : await addUser(inputs, noon);
    const key = await plantRow(id, { occasion_id: id, state: 'COMPLETED', ...columns });
    const report = await fixture.audit(MAY_20, LATER);
    expect(report.unexpected).toEqual({ count: 1, first: [key] });
    expect(report.due).toBe(0);
  });

  test('nothing unexpected if a change came within two minutes of the instant', async () => {
    for (const minutes of [1, 3]) {
      const userId = await addUser();
      await fixture.remove(userId, NINE_O_CLOCK - minutes * MINUTE, false);
      await plantRow(userId, { state: 'COMPLETED' });
    }
    expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({ unexpected: 1 });
  });

  test('no fault in a row that was moved after an attempt, and ended there', async () => {
    const userId = await addUser();
    await fixture.change(userId, { dateOfBirth: '1990-12-01' }, NINE_O_CLOCK + HOUR, false);
    await fixture.change(userId, { dateOfBirth: '1990-03-01' }, NINE_O_CLOCK + DAY, false);
    await plantRow(userId, {
      state: 'FAILED',
      reason: 'date_changed',
      date: '1990-12-01',
      nominal_date: '2026-12-01',
      due_at: '2026-12-01T08:00:00Z',
      attempts: 2,
      earlier_attempts: 2,
      first_attempt_at: null,
    });
    expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({ due: 1, changedSince: 1 });
    expect(counted(await fixture.audit('2026-12-01', LATER + 300 * DAY))).toEqual({});
  });

  test('everything in a lost ledger, and names the first hundred', async () => {
    for (let index = 0; index < 103; index += 1) await addUser();
    const { due, unaccounted } = await fixture.audit(MAY_20, LATER);
    expect({ due, count: unaccounted.count }).toEqual({ due: 103, count: 103 });
    expect(new Set(unaccounted.first).size).toBe(100);
  });
});

test('a day on which everything happened is counted completely, each in one class', async () => {
  const nextMorning = NINE_O_CLOCK + 30 * HOUR;
  const correctedToJune = await addUser();
  await fixture.change(correctedToJune, { dateOfBirth: '1990-06-20' }, NINE_O_CLOCK + HOUR, false);
  await plantRow(correctedToJune, {
    date: '1990-06-20',
    nominal_date: '2026-06-20',
    due_at: '2026-06-20T07:00:00Z',
    attempts: 2,
    earlier_attempts: 2,
  });
  const correctedToMarch = await addUser();
  await fixture.change(correctedToMarch, { dateOfBirth: '1990-03-20' }, NINE_O_CLOCK + HOUR, false);
  await plantRow(correctedToMarch, { state: 'FAILED', reason: 'date_changed' });
  await addDelivered();
  await addDelivered(6 * MINUTE);
  await plantRow(await addUser(), { state: 'FAILED', reason: 'gone' });
  await plantRow(await addUser(), { state: 'SKIPPED', reason: 'too_late' });
  await plantRow(await addUser(), { state: 'SKIPPED', reason: 'superseded' });
  await plantRow(await addUser());
  await plantRow(await addUser(), {
    attempts: 4,
    first_attempt_at: iso(NINE_O_CLOCK),
    next_attempt_at: iso(NINE_O_CLOCK + 31 * HOUR),
  });
  await plantRow(await addUser(), {
    state: 'PROCESSING',
    lease_until: iso(nextMorning + MINUTE),
  });
  // Next year.
  await addUser({}, NINE_O_CLOCK);
  await addUser({ timezone: 'Mars/Olympus_Mons' });
  const deletedBefore = await addUser();
  await fixture.remove(deletedBefore, NINE_O_CLOCK - 1, false);
  const deletedAfter = await addUser();
  await plantRow(deletedAfter, { state: 'SKIPPED', reason: 'user_deleted' });
  await fixture.remove(deletedAfter, NINE_O_CLOCK + HOUR, false);
  const deletedBetween = await addUser();
  await plantRow(deletedBetween, { state: 'FAILED', reason: 'user_deleted', attempts: 1 });
  await fixture.remove(deletedBetween, NINE_O_CLOCK + HOUR, false);
  await addUser();

  const report = await fixture.audit(MAY_20, nextMorning);
  expect(counted(report)).toEqual({
    due: 14,
    delivered: 1,
    late: 1,
    failed: 3,
    too_late: 1,
    superseded: 1,
    overdue: 1,
    underWay: 2,
    blocked: 1,
    deleted: 1,
    changedSince: 1,
    unaccounted: 1,
  });
  expect(report.failed.byReason).toEqual({ gone: 1, date_changed: 1, user_deleted: 1 });
});

test('a user who was deleted by SQL, so that the history is still open, counts as deleted', async () => {
  const userId = await addUser();
  await fixture.sql('delete from users.users where id = :userId', { userId });
  await fixture.sql('update users.erasures set deleted_at = :at', { at: iso(NINE_O_CLOCK + HOUR) });
  expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({ due: 1, deleted: 1 });
  await fixture.sql('update users.erasures set deleted_at = :at', { at: iso(NINE_O_CLOCK - HOUR) });
  expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({});
});

/** Nothing has been planned: everything due is unaccounted for, and is named. */
async function dueOn(day: string): Promise<string[]> {
  const report = await fixture.audit(day, Date.UTC(2030, 0, 1));
  return [...report.unaccounted.first].toSorted();
}

describe('what is due', () => {
  test('for leaplings, follows the rules of the time', async () => {
    const userId = await addUser({ dateOfBirth: '1992-02-29' });
    await fixture.addRules({ leapDayPolicy: 'mar1' }, Date.UTC(2028, 5, 1));
    expect(await dueOn('2027-02-28')).toEqual([keyOf(userId, 2027)]);
    expect(await dueOn('2027-03-01')).toEqual([]);
    expect(await dueOn('2028-02-29')).toEqual([keyOf(userId, 2028)]);
    expect(await dueOn('2028-02-28')).toEqual([]);
    expect(await dueOn('2029-02-28')).toEqual([]);
    expect(await dueOn('2029-03-01')).toEqual([keyOf(userId, 2029)]);
  });

  test('on a day that was skipped, is nothing there; on the next one, what was due on either', async () => {
    const before = Date.UTC(2011, 0, 1);
    const skipped = await addUser({ dateOfBirth: '1990-12-30', timezone: 'Pacific/Apia' }, before);
    const next = await addUser({ dateOfBirth: '1990-12-31', timezone: 'Pacific/Apia' }, before);
    const elsewhere = await addUser(
      { dateOfBirth: '1990-12-30', timezone: 'Pacific/Auckland' },
      before,
    );
    expect(await dueOn('2011-12-30')).toEqual([keyOf(elsewhere, 2011)]);
    expect(await dueOn('2011-12-31')).toEqual([keyOf(skipped, 2011), keyOf(next, 2011)].toSorted());
  });

  test('over New Year, belongs to the nominal year of the day before, if that was skipped', async () => {
    const userId = await addUser(
      { dateOfBirth: '1990-12-31', timezone: 'Pacific/Kiritimati' },
      Date.UTC(1991, 0, 2),
    );
    expect(await dueOn('1994-12-31')).toEqual([]);
    expect(await dueOn('1995-01-01')).toEqual([keyOf(userId, 1994)]);
  });

  test('belongs to the local day, even if that differs from the day in UTC (S8)', async () => {
    const userId = await addUser({ dateOfBirth: '1990-01-01', timezone: 'Pacific/Kiritimati' });
    expect(await dueOn('2026-12-31')).toEqual([]);
    expect(await dueOn('2027-01-01')).toEqual([keyOf(userId, 2027)]);
  });

  test('uses the local time of then, whatever it is now', async () => {
    const atTen = await addUser({}, NINE_O_CLOCK + HOUR);
    await fixture.addRules({ localTime: '12:00' }, NINE_O_CLOCK + 5 * DAY);
    expect(await dueOn(MAY_20)).toEqual([]);
    expect(await dueOn('2027-05-20')).toEqual([keyOf(atTen, 2027)]);
    // Had it already been noon that day, ten would have been before it.
    await fixture.addRules({ localTime: '12:00' }, SPRING);
    expect(await dueOn(MAY_20)).toEqual([keyOf(atTen)]);
  });
});

describe('a day that is not over', () => {
  test('includes what is to come, even a year away, without a row so far', async () => {
    const userId = await addUser();
    const key = await plantRow(userId);
    expect(counted(await fixture.audit(MAY_20, NINE_O_CLOCK - 1))).toEqual({ due: 1, toCome: 1 });
    expect(counted(await fixture.audit('2027-05-20', SPRING))).toEqual({ due: 1, toCome: 1 });
    await loseRow(key);
    expect(counted(await fixture.audit(MAY_20, SPRING))).toEqual({ due: 1, unplanned: 1 });
  });
});

describe('rules that have changed since', () => {
  test('leave a leapling delivered under the other policy delivered for the year (S7)', async () => {
    const userId = await addUser({ dateOfBirth: '1992-02-29' });
    await plantRow(userId, {
      date: '1992-02-29',
      nominal_date: '2027-02-29',
      local_date: '2027-02-28',
      due_at: '2027-02-28T08:00:00Z',
      state: 'COMPLETED',
    });
    await fixture.addRules({ leapDayPolicy: 'mar1' }, Date.UTC(2027, 1, 28, 12));
    const now = Date.UTC(2027, 2, 9);
    expect(counted(await fixture.audit('2027-02-28', now))).toEqual({ due: 1, delivered: 1 });
    expect(counted(await fixture.audit('2027-03-01', now))).toEqual({ due: 1, changedSince: 1 });
  });

  test('do not hide what was due under either', async () => {
    await addDelivered();
    await loseRow(await addDelivered());
    await fixture.addRules({ localTime: '12:00' }, NINE_O_CLOCK + 5 * DAY);
    expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({
      due: 2,
      delivered: 1,
      unaccounted: 1,
    });
  });

  test('are reported as of the audited day', async () => {
    await fixture.addRules({ localTime: '12:00' }, NINE_O_CLOCK + 5 * DAY);
    expect((await fixture.audit(MAY_20, LATER)).settings.localTime).toBe('09:00');
    expect((await fixture.audit('2026-05-28', LATER)).settings.localTime).toBe('12:00');
  });
});

test('an unknown zone is blocked, for as many years as it is unknown', async () => {
  const userId = await addUser({ timezone: 'Mars/Olympus_Mons' });
  await plantRow(userId, { timezone: 'Mars/Olympus_Mons', due_at: null });
  for (const day of [MAY_20, '2027-05-20']) {
    expect(counted(await fixture.audit(day, LATER + 400 * DAY))).toEqual({ due: 1, blocked: 1 });
  }
});

test('a key that was skipped and falls due later is counted where it moved to', async () => {
  const userId = await addUser();
  await fixture.change(userId, { dateOfBirth: '1990-12-01' }, NINE_O_CLOCK + 5 * DAY, false);
  const december = { date: '1990-12-01', nominal_date: '2026-12-01' };
  const key = await plantRow(userId, { ...december, due_at: '2026-12-01T08:00:00Z' });
  expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({ due: 1, changedSince: 1 });
  expect(counted(await fixture.audit('2026-12-01', LATER))).toEqual({ due: 1, toCome: 1 });
  await fixture.settle(key, 'COMPLETED', Date.UTC(2026, 11, 1, 8));
  const report = await fixture.audit('2026-12-01', Date.UTC(2026, 11, 2));
  expect(counted(report)).toEqual({ due: 1, delivered: 1 });
});

test('an audit reads one moment, whatever changes meanwhile', async () => {
  const key = await addDelivered();
  const [, userId = ''] = key.split(':');
  const read = await readSnapshot(fixture.orm, async (em) => {
    const view = createAuditView(em);
    await view.findRules();
    await fixture.sql('delete from users.history where user_id = :userId', { userId });
    const seen = [];
    for await (const { occasion } of view.occasions(MAY_20)) seen.push(occasion);
    return seen;
  });
  expect(read).toMatchObject([{ id: userId, periods: [{ date: '1990-05-20' }] }]);
  // Afterwards, no history accounts for the row.
  expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({ unexpected: 1 });
});
