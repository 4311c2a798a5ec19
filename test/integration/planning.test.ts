import { describe, expect, test } from 'vitest';

import {
  BERLIN_2026,
  BERLIN_2027,
  DAY,
  HOUR,
  keyOf,
  SPRING,
  usePlanningFixture,
} from '../support/planning-fixture.ts';
import { bundledLaw } from '../support/zone-laws.ts';

const fixture = usePlanningFixture();

describe('a plan', () => {
  test('is written to the ledger and told to the workflow', async () => {
    const userId = await fixture.rows.addUser();
    const planned = await fixture.plan(userId);
    expect(planned).toMatchObject({
      kind: 'planned',
      occurrenceKey: keyOf(userId),
      fireAt: BERLIN_2026,
      timezone: 'Europe/Berlin',
      tzVersion: bundledLaw.version,
    });
    if (planned.kind !== 'planned') return;
    expect(planned.armAt).toBeLessThanOrEqual(BERLIN_2026 - 15_000);
    expect(planned.armAt).toBeGreaterThan(BERLIN_2026 - 60_000);
    expect(planned.recheckAt).toBeLessThanOrEqual(BERLIN_2026 - 36 * HOUR);
    expect(planned.recheckAt).toBeGreaterThan(BERLIN_2026 - 60 * HOUR);
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
      state: 'PENDING',
      fireAt: BERLIN_2026,
      recheckedAt: null,
      attempts: 0,
    });
    expect(
      await fixture.rows.sql(
        `select anchor_date::text, local_date::text, local_time, leap_day_policy, tz_version
         from events.occurrences where key = ?`,
        [keyOf(userId)],
      ),
    ).toEqual([
      {
        anchor_date: '1990-05-20',
        local_date: '2026-05-20',
        local_time: '09:00',
        leap_day_policy: 'feb28',
        tz_version: bundledLaw.version,
      },
    ]);
  });

  test('made twice comes to the same', async () => {
    const userId = await fixture.rows.addUser();
    const first = await fixture.plan(userId);
    const row = await fixture.rows.find(keyOf(userId));
    expect(await fixture.plan(userId)).toEqual(first);
    expect(await fixture.rows.find(keyOf(userId))).toEqual(row);
  });

  test('made as late as the recheck is the recheck, and the row says so', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    const now = BERLIN_2026 - 36 * HOUR;
    expect(await fixture.plan(userId, now)).toMatchObject({ kind: 'planned', recheckAt: null });
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({ recheckedAt: now });
  });

  test('follows the user to another zone, with the same key', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.move(userId, 'America/New_York');
    const fireAt = Date.UTC(2026, 4, 20, 13);
    expect(await fixture.plan(userId)).toMatchObject({ occurrenceKey: keyOf(userId), fireAt });
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
      fireAt,
      timezone: 'America/New_York',
    });
  });

  test('of what has passed meanwhile is owed, within the limit', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    const late = await fixture.plan(userId, BERLIN_2026 + 47 * HOUR);
    expect(late).toMatchObject({ kind: 'planned', fireAt: BERLIN_2026, recheckAt: null });
  });

  test('of what is too late is SKIPPED, and next year planned', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    expect(await fixture.plan(userId, BERLIN_2026 + 3 * DAY)).toMatchObject({
      fireAt: BERLIN_2027,
    });
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { year: 2026, state: 'SKIPPED', reason: 'too_late' },
      { year: 2027, state: 'PENDING' },
    ]);
  });

  test('that was never made and is too late by now is SKIPPED too, so that it is seen', async () => {
    const userId = await fixture.rows.addUser({ createdAt: SPRING });
    expect(await fixture.plan(userId, BERLIN_2026 + 3 * DAY)).toMatchObject({
      fireAt: BERLIN_2027,
    });
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { year: 2026, state: 'SKIPPED', reason: 'too_late' },
      { year: 2027, state: 'PENDING' },
    ]);
  });

  test('moves with a corrected date of birth, which burns no year', async () => {
    const userId = await fixture.rows.addUser({ dateOfBirth: '1990-12-01' });
    await fixture.plan(userId);
    await fixture.correct(userId, '1990-03-01');
    expect(await fixture.plan(userId)).toMatchObject({ fireAt: Date.UTC(2027, 2, 1, 8) });
    await fixture.correct(userId, '1990-12-01');
    expect(await fixture.plan(userId)).toMatchObject({ fireAt: Date.UTC(2026, 11, 1, 8) });
    expect(await fixture.occurrencesOf(userId)).toMatchObject([{ year: 2026, state: 'PENDING' }]);
  });

  test('never comes back to a year that is settled', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.rows.addOccurrence(userId, {
      state: 'COMPLETED',
      fireAt: BERLIN_2026 - 8 * HOUR,
    });
    await fixture.move(userId, 'Pacific/Pago_Pago', BERLIN_2026 - HOUR);
    expect(await fixture.plan(userId, BERLIN_2026 - HOUR)).toMatchObject({
      occurrenceKey: keyOf(userId, 2027),
    });
  });

  test('is about the latest year, when an earlier one is being delivered again', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.rows.addOccurrence(userId, {
      year: 2025,
      state: 'PROCESSING',
      fireAt: SPRING - 300 * DAY,
    });
    expect(await fixture.plan(userId)).toMatchObject({ fireAt: BERLIN_2026 });
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { year: 2025, state: 'PROCESSING' },
      { year: 2026, state: 'PENDING' },
    ]);
  });
});

describe('several changes while planning was away', () => {
  const NEW_YORK_2026 = Date.UTC(2026, 4, 20, 13);
  const TOKYO_2026 = Date.UTC(2026, 4, 20);

  test('owe what a plan before the move would have owed, also to somebody who had none yet', async () => {
    const userId = await fixture.rows.addUser({
      timezone: 'America/New_York',
      createdAt: NEW_YORK_2026 - 25 * HOUR,
    });
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, NEW_YORK_2026 - HOUR);
    expect(await fixture.plan(userId, NEW_YORK_2026)).toMatchObject({
      occurrenceKey: keyOf(userId),
      fireAt: TOKYO_2026,
    });
  });

  test('are made up for from the history since the row was planned', async () => {
    const userId = await fixture.rows.addUser({ dateOfBirth: '1990-09-01' });
    await fixture.plan(userId);
    await fixture.change(userId, { dateOfBirth: '1990-05-20' }, BERLIN_2026 - DAY);
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, BERLIN_2026 + HOUR);
    const owed = { occurrenceKey: keyOf(userId), fireAt: TOKYO_2026 };
    expect(await fixture.plan(userId, BERLIN_2026 + 2 * HOUR)).toMatchObject(owed);
    expect(await fixture.plan(userId, BERLIN_2026 + 3 * HOUR)).toMatchObject(owed);
    expect(await fixture.occurrencesOf(userId)).toMatchObject([{ year: 2026, state: 'PENDING' }]);
  });

  test('are made up for from the history since an occurrence was settled', async () => {
    const userId = await fixture.rows.addUser({ timezone: 'America/New_York' });
    await fixture.plan(userId);
    await fixture.rows.sql(`update events.occurrences set state = 'COMPLETED' where key = ?`, [
      keyOf(userId),
    ]);
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, NEW_YORK_2026 + 365 * DAY - HOUR);
    expect(await fixture.plan(userId, NEW_YORK_2026 + 365 * DAY)).toMatchObject({
      occurrenceKey: keyOf(userId, 2027),
      fireAt: Date.UTC(2027, 4, 20),
    });
  });

  test('leave what was missed on the way in the ledger, by the facts that it was due by', async () => {
    const userId = await fixture.rows.addUser({
      timezone: 'America/New_York',
      createdAt: NEW_YORK_2026 - DAY,
    });
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, NEW_YORK_2026 + 3 * DAY);
    await fixture.change(userId, { dateOfBirth: '1990-03-01' }, NEW_YORK_2026 + 4 * DAY);
    await fixture.plan(userId, NEW_YORK_2026 + 5 * DAY);
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { year: 2026, state: 'SKIPPED', reason: 'too_late', anchorDate: '1990-05-20' },
      { year: 2027, state: 'PENDING', anchorDate: '1990-03-01' },
    ]);
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
      timezone: 'Asia/Tokyo',
      fireAt: TOKYO_2026,
    });
  });

  test('that the plan knows are not read again', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, SPRING - DAY);
    await fixture.change(userId, { dateOfBirth: '1990-06-01' }, SPRING - HOUR);
    const planned = await fixture.plan(userId);
    // Whoever would read the history waits here.
    await fixture.database.orm.em.fork().transactional(async (em) => {
      await em.execute('lock table users.history in access exclusive mode');
      expect(await fixture.plan(userId, SPRING + HOUR)).toEqual(planned);
    });
  });

  test('may be more than are read: the latest count', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, SPRING + 1);
    await fixture.rows.sql(
      `insert into users.history (user_id, date_of_birth, timezone, valid_from, valid_until)
       select ?, '1990-05-20', case when n % 2 = 0 then 'Europe/Berlin' else 'Asia/Tokyo' end,
         timestamptz '2026-04-01Z' + n * interval '1 s', timestamptz '2026-04-01Z' + (n + 1) * interval '1 s'
       from generate_series(1, 3000) as n`,
      [userId],
    );
    await fixture.change(userId, { timezone: 'America/New_York' }, SPRING + 2 * HOUR);
    expect(await fixture.plan(userId, SPRING + 3 * HOUR)).toMatchObject({ fireAt: NEW_YORK_2026 });
  });
});

describe('facts that cannot be planned', () => {
  test('leave a row that an operator sees, and are planned when they can be', async () => {
    const userId = await fixture.rows.addUser({ timezone: 'Mars/Olympus_Mons' });
    const blocked = await fixture.plan(userId);
    expect(blocked).toMatchObject({ kind: 'blocked' });
    const reason = blocked.kind === 'blocked' ? blocked.reason : '';
    expect(reason).toContain('Mars/Olympus_Mons');
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
      state: 'PENDING',
      blockedReason: reason,
      fireAt: null,
    });
    expect(await fixture.plan(userId)).toEqual(blocked);
    await fixture.move(userId, 'Europe/Berlin');
    expect(await fixture.plan(userId)).toMatchObject({ kind: 'planned', fireAt: BERLIN_2026 });
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({ blockedReason: null });
  });

  test('stop a row that was planned already, without losing it', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.arm(userId);
    await fixture.move(userId, 'Mars/Olympus_Mons');
    await fixture.plan(userId);
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
      state: 'PENDING',
      fireAt: null,
    });
    expect(await fixture.claimAtNine()).toEqual([]);
  });
});

describe('a user who is gone', () => {
  test('ends the plan; what was open is SKIPPED with the reason', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.rows.sql('delete from users.users where id = ?', [userId]);
    expect(await fixture.plan(userId)).toEqual({ kind: 'ended' });
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { year: 2026, state: 'SKIPPED', reason: 'user_deleted' },
    ]);
    expect(await fixture.plan(userId)).toEqual({ kind: 'ended' });
  });

  test('who never was, ends it too', async () => {
    const userId = '019a0000-0000-7000-8000-000000000000';
    expect(await fixture.plan(userId)).toEqual({ kind: 'ended' });
    expect(await fixture.occurrencesOf(userId)).toEqual([]);
  });
});
