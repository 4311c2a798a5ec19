import { randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import type { AuditReport } from '../../src/events/audit-report.ts';
import { createAuditReader } from '../../src/persistence/audit.ts';
import { counted, DAY, HOUR, MINUTE, useAuditFixture } from '../support/audit-fixture.ts';
import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';

const fixture = useAuditFixture();

const BERLIN = { dateOfBirth: '1990-05-20', timezone: 'Europe/Berlin' };
const MAY_20 = '2026-05-20';
/** In Berlin. */
const NINE_O_CLOCK = Date.UTC(2026, 4, 20, 7);
const SPRING = Date.UTC(2026, 3, 1);
const LATER = NINE_O_CLOCK + 10 * DAY;

const keyOf = (userId: string, year = 2026) => `birthday:${userId}:${year}`;

/** Somebody of Berlin, greeted on time; gives the key. */
async function greeted(lateMs = 40): Promise<string> {
  const userId = await fixture.add(BERLIN, SPRING);
  await fixture.settle(keyOf(userId), 'COMPLETED', NINE_O_CLOCK + lateMs);
  await fixture.plan(userId, NINE_O_CLOCK + lateMs);
  return keyOf(userId);
}

async function loseRow(key: string): Promise<void> {
  await fixture.sql('delete from events.attempts where occurrence_key = ?', [key]);
  await fixture.sql('delete from events.occurrences where key = ?', [key]);
}

describe('an audit finds', () => {
  test('a row that is missing, and leaves out nobody else', async () => {
    await greeted();
    const missing = await greeted();
    await loseRow(missing);
    const report = await fixture.audit(MAY_20, LATER);
    expect(counted(report)).toEqual({ due: 2, delivered: 1, unaccounted: 1 });
    expect(report.unaccounted.first).toEqual([missing]);
  });

  test('whoever has no row at all, planned or settled', async () => {
    const userId = await fixture.add(BERLIN, SPRING, false);
    const report = await fixture.audit(MAY_20, LATER);
    expect(report.unaccounted).toEqual({ count: 1, first: [keyOf(userId)] });
  });

  test('a second row for one user and year', async () => {
    const key = await greeted();
    const [, user_id] = key.split(':');
    const second = await plantOccurrence(fixture.sql, {
      user_id,
      key: `${key}-again`,
      state: 'COMPLETED',
    });
    const report = await fixture.audit(MAY_20, LATER);
    expect(counted(report)).toEqual({ due: 1, delivered: 1, doubles: 1 });
    expect(report.doubles.first).toEqual([second]);
  });

  test('an occurrence that was delivered by two attempts, unless that was asked for', async () => {
    const key = await greeted();
    await plantAttempt(fixture.sql, key, { number: 2 });
    const report = await fixture.audit(MAY_20, LATER);
    expect(counted(report)).toEqual({ due: 1, delivered: 1, doubles: 1 });
    expect(report.doubles.first).toEqual([key]);

    await fixture.sql('update events.occurrences set redeliveries = 1, forced_at = now()');
    expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({ due: 1, delivered: 1 });
  });

  test.each([
    ['unknown_user', {}, {}],
    ['unknown_facts', BERLIN, { timezone: 'Asia/Tokyo' }],
    ['unknown_facts', BERLIN, { anchor_date: '1990-05-21', local_date: MAY_20 }],
    ['unknown_facts', { ...BERLIN, dateOfBirth: '1990-12-01' }, {}],
    ['day_of_birth', { ...BERLIN, dateOfBirth: '2026-05-20' }, { anchor_date: '2026-05-20' }],
    ['wrong_key', BERLIN, { key: 'birthday:somebody:2026' }],
    ['wrong_day', { ...BERLIN, dateOfBirth: '1990-12-01' }, { anchor_date: '1990-12-01' }],
    ['wrong_day', BERLIN, { local_date: '2026-01-01' }],
    ['wrong_day', BERLIN, { local_date: null }],
    // Created at noon.
    ['not_due', BERLIN, {}],
  ] as const)('a row that is forged: %s of %j, with %j', async (reason, facts, columns) => {
    const noon = NINE_O_CLOCK + 3 * HOUR;
    const created = 'timezone' in facts ? await fixture.add(facts, noon, false) : randomUUID();
    const key = await plantOccurrence(fixture.sql, {
      user_id: created,
      state: 'COMPLETED',
      attempts: 1,
      delivered_at: '2026-05-20T07:00:00Z',
      ...columns,
    });
    const report = await fixture.audit(MAY_20, LATER);
    expect(report.forged).toEqual({ count: 1, first: [{ key, reason }] });
    expect(report.due).toBe(0);
  });

  test('a delivery that nobody attempted: it accounts for nobody', async () => {
    const userId = await fixture.add(BERLIN, SPRING);
    await fixture.sql(`update events.occurrences set state = 'COMPLETED', delivered_at = fire_at`);
    const report = await fixture.audit(MAY_20, LATER);
    expect(report.unaccounted.first).toEqual([keyOf(userId)]);
  });

  test('all of a lost ledger, and names the first hundred', async () => {
    for (let index = 0; index < 103; index += 1) await fixture.add(BERLIN, SPRING, false);
    const { due, unaccounted } = await fixture.audit(MAY_20, LATER);
    expect({ due, count: unaccounted.count }).toEqual({ due: 103, count: 103 });
    expect(new Set(unaccounted.first).size).toBe(100);
  });
});

test('a day on which everything happened puts each into one class', async () => {
  const inOneDay = NINE_O_CLOCK + 30 * HOUR;
  await greeted();
  await greeted(6 * MINUTE);
  const failed = await fixture.add(BERLIN, SPRING);
  await fixture.settle(keyOf(failed), 'FAILED', NINE_O_CLOCK);
  const tooLate = await fixture.add(BERLIN, SPRING);
  await fixture.plan(tooLate, NINE_O_CLOCK + 3 * DAY);
  const overdue = await fixture.add(BERLIN, SPRING);
  await fixture.sql(`update events.occurrences set state = 'PENDING' where user_id = ?`, [overdue]);
  const tried = await fixture.add(BERLIN, SPRING);
  await fixture.sql(
    `update events.occurrences
     set state = 'PROCESSING', attempts = 4, retry_at = fire_at + interval '31 hours'
     where user_id = ?`,
    [tried],
  );
  // Next year.
  await fixture.add(BERLIN, NINE_O_CLOCK);
  await fixture.sql(
    `insert into users.history (user_id, date_of_birth, timezone, valid_from)
     values (?, '1990-05-20', 'Mars/Olympus_Mons', '2020-01-01Z')`,
    [randomUUID()],
  );
  const deletedBefore = await fixture.add(BERLIN, SPRING);
  await fixture.remove(deletedBefore, NINE_O_CLOCK - 1);
  const deletedAfter = await fixture.add(BERLIN, SPRING);
  await fixture.remove(deletedAfter, NINE_O_CLOCK + HOUR);
  const corrected = await fixture.add(BERLIN, SPRING);
  await fixture.change(corrected, { dateOfBirth: '1990-06-20' }, NINE_O_CLOCK + HOUR);
  await loseRow(await greeted());

  expect(counted(await fixture.audit(MAY_20, inOneDay))).toEqual({
    due: 10,
    delivered: 1,
    late: 1,
    failed: 1,
    too_late: 1,
    overdue: 1,
    underWay: 1,
    blocked: 1,
    deleted: 1,
    changedSince: 1,
    unaccounted: 1,
  });
});

/** Nobody has been planned: whoever is due is unaccounted for, and is named. */
async function dueOn(day: string, settings: object = {}): Promise<string[]> {
  const report = await auditBy(day, settings);
  return [...report.unaccounted.first];
}

/** Years later. */
function auditBy(day: string, settings: object): Promise<AuditReport> {
  const dateSettings = { leapDayPolicy: 'feb28', localTime: '09:00', ...settings } as const;
  return fixture.audit(day, Date.UTC(2030, 0, 1), { dateSettings });
}

describe('who is due', () => {
  test('of leaplings, is by the leap-day rule', async () => {
    const userId = await fixture.add(
      { dateOfBirth: '1992-02-29', timezone: 'Europe/Berlin' },
      SPRING,
      false,
    );
    const mar1 = { leapDayPolicy: 'mar1' };
    expect(await dueOn('2027-02-28')).toEqual([keyOf(userId, 2027)]);
    expect(await dueOn('2027-03-01')).toEqual([]);
    expect(await dueOn('2027-02-28', mar1)).toEqual([]);
    expect(await dueOn('2027-03-01', mar1)).toEqual([keyOf(userId, 2027)]);
    expect(await dueOn('2028-02-29')).toEqual([keyOf(userId, 2028)]);
    expect(await dueOn('2028-02-28')).toEqual([]);
    expect(await dueOn('2028-03-01', mar1)).toEqual([]);
  });

  test('on a day that was skipped, is nobody there; on the next, whoever had either', async () => {
    const before = Date.UTC(2011, 0, 1);
    const add = (dateOfBirth: string, timezone: string) =>
      fixture.add({ dateOfBirth, timezone }, before, false);
    const skipped = await add('1990-12-30', 'Pacific/Apia');
    const next = await add('1990-12-31', 'Pacific/Apia');
    const elsewhere = await add('1990-12-30', 'Pacific/Auckland');
    expect(await dueOn('2011-12-30')).toEqual([keyOf(elsewhere, 2011)]);
    expect((await dueOn('2011-12-31')).toSorted()).toEqual(
      [keyOf(skipped, 2011), keyOf(next, 2011)].toSorted(),
    );
  });

  test('over New Year, is the nominal year of the day before, where that was skipped', async () => {
    const userId = await fixture.add(
      { dateOfBirth: '1990-12-31', timezone: 'Pacific/Kiritimati' },
      Date.UTC(1991, 0, 2),
      false,
    );
    expect(await dueOn('1994-12-31')).toEqual([]);
    expect(await dueOn('1995-01-01')).toEqual([keyOf(userId, 1994)]);
  });

  test('in a zone that came too late for it by the calendar of UTC, is by its own', async () => {
    const userId = await fixture.add(
      { dateOfBirth: '1990-01-01', timezone: 'Pacific/Kiritimati' },
      SPRING,
      false,
    );
    expect(await dueOn('2026-12-31')).toEqual([]);
    expect(await dueOn('2027-01-01')).toEqual([keyOf(userId, 2027)]);
  });
});

describe('a day that is not over', () => {
  test('has those to come, and those a year away of whom there is no row yet', async () => {
    await fixture.add(BERLIN, SPRING);
    expect(counted(await fixture.audit(MAY_20, NINE_O_CLOCK - 1))).toEqual({ due: 1, toCome: 1 });
    expect(counted(await fixture.audit('2027-05-20', SPRING))).toEqual({ due: 1, toCome: 1 });
    await fixture.sql('delete from events.occurrences');
    expect(counted(await fixture.audit(MAY_20, SPRING))).toEqual({ due: 1, unplanned: 1 });
  });
});

describe('settings that have changed since', () => {
  test('leave a leapling who was greeted by the other rule greeted for the year (S7)', async () => {
    const userId = await fixture.add(
      { dateOfBirth: '1992-02-29', timezone: 'Europe/Berlin' },
      SPRING,
    );
    await fixture.settle(keyOf(userId, 2027), 'COMPLETED', Date.UTC(2027, 1, 28, 8));
    const mar1 = { leapDayPolicy: 'mar1' };
    expect(counted(await auditBy('2027-03-01', mar1))).toEqual({ due: 1, delivered: 1 });
    expect(counted(await auditBy('2027-02-28', mar1))).toEqual({});
  });

  test('do not make somebody due who came after the local time of then, if the ledger shows it', async () => {
    const userId = await fixture.add(BERLIN, NINE_O_CLOCK + HOUR);
    const noon = { localTime: '12:00' };
    expect((await auditBy(MAY_20, noon)).unaccounted.first).toEqual([keyOf(userId)]);
    await greeted();
    expect(counted(await auditBy(MAY_20, noon))).toEqual({
      due: 2,
      delivered: 1,
      otherSettings: 1,
    });
  });

  test('do not hide somebody who was due by either', async () => {
    await greeted();
    await loseRow(await greeted());
    expect(counted(await auditBy(MAY_20, { localTime: '12:00' }))).toMatchObject({
      unaccounted: 1,
    });
  });
});

test('a zone that is not known is blocked, for as many years as it is', async () => {
  const userId = await fixture.add(BERLIN, SPRING);
  await fixture.sql(`update users.users set timezone = 'Mars/Olympus_Mons'`);
  await fixture.sql(`update users.history set timezone = 'Mars/Olympus_Mons'`);
  await fixture.plan(userId, SPRING);
  for (const day of [MAY_20, '2027-05-20']) {
    expect(counted(await fixture.audit(day, LATER + 400 * DAY))).toEqual({ due: 1, blocked: 1 });
  }
});

test('what is read is one moment, whoever changes meanwhile', async () => {
  const key = await greeted();
  const [, userId = ''] = key.split(':');
  let isChanged = false;
  const reader = createAuditReader(fixture.orm);
  const report = await fixture.audit(MAY_20, LATER, {
    reader: {
      read: (work) =>
        reader.read((view) =>
          work({
            ...view,
            async findOthers(...query) {
              if (!isChanged) {
                isChanged = true;
                await fixture.sql('delete from users.history where user_id = ?', [userId]);
              }
              return view.findOthers(...query);
            },
          }),
        ),
    },
  });
  expect(isChanged).toBe(true);
  expect(counted(report)).toEqual({ due: 1, delivered: 1 });
});
