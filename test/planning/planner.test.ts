import { describe, expect, test } from 'vitest';

import {
  BERLIN_2026,
  BERLIN_2027,
  birthdayOf,
  DAY,
  HOUR,
  keyOf,
  MINUTE,
  NEW_YORK_2026,
  SPRING,
  TOKYO_2026,
  usePlanningFixture,
} from '../support/planning-fixture.ts';
import { bundledTz } from '../support/tz-databases.ts';

const fixture = usePlanningFixture();

describe('a plan', () => {
  test('is a row in the ledger, due by itself, with all of its inputs', async () => {
    const userId = await fixture.rows.addUser();
    expect(await fixture.plan(userId)).toMatchObject({
      kind: 'planned',
      occurrenceKey: keyOf(userId),
      dueAt: BERLIN_2026,
    });
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
      state: 'PENDING',
      dueAt: BERLIN_2026,
      nextAttemptAt: BERLIN_2026,
      supersededAt: BERLIN_2027,
      localDate: '2026-05-20',
      attempts: 0,
    });
    expect(
      await fixture.rows.sql(
        `select date::text, timezone, local_time, leap_day_policy, tz_version
         from events.occurrences where key = ?`,
        [keyOf(userId)],
      ),
    ).toEqual([
      {
        date: '1990-05-20',
        timezone: 'Europe/Berlin',
        local_time: '09:00',
        leap_day_policy: 'feb28',
        tz_version: bundledTz.version,
      },
    ]);
    await fixture.setClock(BERLIN_2026 + 1);
    expect(await fixture.claim()).toMatchObject([{ key: keyOf(userId) }]);
  });

  test('that is made twice has the same result', async () => {
    const userId = await fixture.rows.addUser();
    const first = await fixture.plan(userId);
    const row = await fixture.rows.find(keyOf(userId));
    expect(await fixture.plan(userId)).toEqual(first);
    expect(await fixture.rows.find(keyOf(userId))).toEqual(row);
  });

  test('follows the user to another zone, with the same key', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.change(userId, { timezone: 'America/New_York' });
    expect(await fixture.plan(userId)).toMatchObject({
      occurrenceKey: keyOf(userId),
      dueAt: NEW_YORK_2026,
    });
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
      dueAt: NEW_YORK_2026,
      timezone: 'America/New_York',
      inputsAt: SPRING,
    });
  });

  test('that was never made is owed, within the limit', async () => {
    const userId = await fixture.rows.addUser();
    const late = await fixture.plan(userId, BERLIN_2026 + 47 * HOUR);
    expect(late).toMatchObject({ kind: 'planned', dueAt: BERLIN_2026 });
    expect(await fixture.claim()).toHaveLength(1);
  });

  test.each([true, false])(
    'that is too late is SKIPPED, and next year planned (planned before: %s)',
    async (isPlanned) => {
      const userId = await fixture.rows.addUser();
      if (isPlanned) await fixture.plan(userId);
      expect(await fixture.plan(userId, BERLIN_2026 + 3 * DAY)).toMatchObject({
        dueAt: BERLIN_2027,
      });
      expect(await fixture.occurrencesOf(userId)).toMatchObject([
        { nominalDate: '2026-05-20', state: 'SKIPPED', reason: 'too_late' },
        { nominalDate: '2027-05-20', state: 'PENDING' },
      ]);
    },
  );

  test('that a move makes too late is SKIPPED as it fell due through the move', async () => {
    const userId = await fixture.rows.addUser({ timezone: 'Pacific/Pago_Pago' });
    await fixture.plan(userId);
    const dueInPagoPago = Date.UTC(2026, 4, 20, 20);
    const movedAt = dueInPagoPago - MINUTE;
    await fixture.change(userId, { timezone: 'Pacific/Kiritimati' }, movedAt);
    const planner = fixture.plannerWith({ lateLimitMs: 24 * HOUR });
    await fixture.setClock(movedAt + 1);
    await planner.plan([birthdayOf(userId)]);
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
      state: 'SKIPPED',
      reason: 'too_late',
      dueAt: Date.UTC(2026, 4, 19, 19),
      timezone: 'Pacific/Kiritimati',
      nextAttemptAt: null,
    });
    expect(await fixture.rows.find(keyOf(userId, 2027))).toMatchObject({
      state: 'PENDING',
      dueAt: Date.UTC(2027, 4, 19, 19),
    });
  });

  test('moves with a corrected date of birth, which uses up no year', async () => {
    const userId = await fixture.rows.addUser({ dateOfBirth: '1990-12-01' });
    await fixture.plan(userId);
    await fixture.change(userId, { dateOfBirth: '1990-03-01' });
    expect(await fixture.plan(userId)).toMatchObject({ dueAt: Date.UTC(2027, 2, 1, 8) });
    await fixture.change(userId, { dateOfBirth: '1990-12-01' }, SPRING + 1);
    expect(await fixture.plan(userId, SPRING + HOUR)).toMatchObject({
      dueAt: Date.UTC(2026, 11, 1, 8),
    });
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { nominalDate: '2026-12-01', state: 'PENDING' },
    ]);
  });

  test('never returns to a year that is settled', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.setClock(BERLIN_2026 + 1);
    await fixture.send('delivered');
    await fixture.change(userId, { timezone: 'Pacific/Pago_Pago' }, BERLIN_2026 + HOUR);
    expect(await fixture.plan(userId, BERLIN_2026 + HOUR)).toMatchObject({
      occurrenceKey: keyOf(userId, 2027),
    });
  });

  test('leaves a redelivery alone: it is not the planner’s', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.setClock(BERLIN_2026 + 1);
    await fixture.send('refused');
    await fixture.plan(userId);
    await fixture.rows.sql(
      `update events.occurrences set state = 'PENDING', reason = null, settled_at = null,
         followed = false, priority = 1, next_attempt_at = events.clock(), earlier_attempts = attempts,
         first_attempt_at = null, redeliveries = 1, redelivered_at = events.clock()
       where key = ?`,
      [keyOf(userId)],
    );
    const before = await fixture.rows.find(keyOf(userId));
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, BERLIN_2026 + MINUTE);
    expect(await fixture.plan(userId, BERLIN_2026 + MINUTE)).toMatchObject({
      occurrenceKey: keyOf(userId, 2027),
    });
    expect(await fixture.rows.find(keyOf(userId))).toEqual(before);
  });
});

describe('several changes while planning was away', () => {
  test('owe what a plan before the move would have owed', async () => {
    const userId = await fixture.rows.addUser({
      timezone: 'America/New_York',
      createdAt: NEW_YORK_2026 - 25 * HOUR,
    });
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, NEW_YORK_2026 - HOUR);
    expect(await fixture.plan(userId, NEW_YORK_2026)).toMatchObject({
      occurrenceKey: keyOf(userId),
      dueAt: TOKYO_2026,
    });
  });

  test('are caught up with from the history since an occurrence was settled', async () => {
    const userId = await fixture.rows.addUser({ timezone: 'America/New_York' });
    await fixture.plan(userId);
    await fixture.setClock(NEW_YORK_2026 + 1);
    await fixture.send('delivered');
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, NEW_YORK_2026 + 365 * DAY - HOUR);
    expect(await fixture.plan(userId, NEW_YORK_2026 + 365 * DAY)).toMatchObject({
      occurrenceKey: keyOf(userId, 2027),
      dueAt: Date.UTC(2027, 4, 20),
    });
  });

  test('leave what was missed in between in the ledger, with the inputs under which it was due', async () => {
    const userId = await fixture.rows.addUser({
      timezone: 'America/New_York',
      createdAt: NEW_YORK_2026 - DAY,
    });
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, NEW_YORK_2026 + 3 * DAY);
    await fixture.change(userId, { dateOfBirth: '1990-03-01' }, NEW_YORK_2026 + 4 * DAY);
    await fixture.plan(userId, NEW_YORK_2026 + 5 * DAY);
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { nominalDate: '2026-05-20', state: 'SKIPPED', date: '1990-05-20' },
      { nominalDate: '2027-03-01', state: 'PENDING', date: '1990-03-01' },
    ]);
  });

  test('are not read for a user who never changed', async () => {
    const userId = await fixture.rows.addUser();
    const planned = await fixture.plan(userId);
    // A plan that read the history would wait here.
    await fixture.database.orm.em.fork().transactional(async (em) => {
      await em.execute('lock table users.history in access exclusive mode');
      expect(await fixture.plan(userId)).toEqual(planned);
    });
  });

  test('can be more than are read: the latest count', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.change(userId, { timezone: 'Asia/Tokyo' }, SPRING + 1);
    await fixture.rows.sql(
      `with was as (update users.history set valid_until = '2026-04-01T00:00:01Z'
         where user_id = :userId and valid_until is null)
       insert into users.history (user_id, date_of_birth, timezone, valid_from, valid_until)
       select :userId, '1990-05-20', case when n % 2 = 0 then 'Europe/Berlin' else 'Asia/Tokyo' end,
         timestamptz '2026-04-01Z' + n * interval '1 s',
         timestamptz '2026-04-01Z' + (n + 1) * interval '1 s'
       from generate_series(1, 3000) as n`,
      { userId },
    );
    await fixture.change(userId, { timezone: 'America/New_York' }, SPRING + 2 * HOUR);
    expect(await fixture.plan(userId, SPRING + 3 * HOUR)).toMatchObject({ dueAt: NEW_YORK_2026 });
  });
});

describe('inputs without an instant', () => {
  test('leave a row that an operator sees, and are planned when possible', async () => {
    const userId = await fixture.rows.addUser({ timezone: 'Mars/Olympus_Mons' });
    const blocked = await fixture.plan(userId);
    const reason = blocked.kind === 'blocked' ? blocked.reason : '';
    expect(reason).toContain('Mars/Olympus_Mons');
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
      state: 'PENDING',
      blockedReason: reason,
      dueAt: null,
    });
    expect(await fixture.plan(userId)).toEqual(blocked);
    await fixture.change(userId, { timezone: 'Europe/Berlin' });
    expect(await fixture.plan(userId)).toMatchObject({ kind: 'planned', dueAt: BERLIN_2026 });
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({ blockedReason: null });
  });

  test('stop a row that was planned already, without losing it', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.change(userId, { timezone: 'Mars/Olympus_Mons' });
    await fixture.plan(userId);
    await fixture.setClock(BERLIN_2026 + 1);
    expect(await fixture.claim()).toEqual([]);
    await fixture.change(userId, { timezone: 'Europe/Berlin' }, BERLIN_2026 + HOUR);
    expect(await fixture.plan(userId, BERLIN_2026 + HOUR)).toMatchObject({ dueAt: BERLIN_2026 });
  });
});

describe('a user who is deleted', () => {
  test('ends the plan; what was open is SKIPPED with the reason', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.deleteUser(userId);
    expect(await fixture.plan(userId)).toMatchObject({ kind: 'ended' });
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { nominalDate: '2026-05-20', state: 'SKIPPED', reason: 'user_deleted', followed: true },
    ]);
    expect(await fixture.plan(userId)).toMatchObject({ kind: 'ended' });
  });

  test('takes redeliveries along, except one that is being sent: that is deferred', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.setClock(BERLIN_2026 + 1);
    await fixture.send('refused');
    await fixture.plan(userId);
    await fixture.rows.sql(
      `update events.occurrences set state = 'PENDING', reason = null, settled_at = null,
         priority = 1, next_attempt_at = events.clock(),
         lease_until = events.clock() + interval '25 s', lease_token = 7,
         earlier_attempts = attempts, first_attempt_at = null,
         redeliveries = 1, redelivered_at = events.clock(), followed = false
       where key = ?`,
      [keyOf(userId)],
    );
    await fixture.deleteUser(userId);
    expect(await fixture.plan(userId)).toMatchObject({
      kind: 'deferred',
      until: fixture.now + 25_000,
    });
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { nominalDate: '2026-05-20', state: 'PROCESSING' },
      { nominalDate: '2027-05-20', state: 'SKIPPED', reason: 'user_deleted' },
    ]);
    expect(await fixture.plan(userId, fixture.now + 26_000)).toMatchObject({ kind: 'ended' });
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { nominalDate: '2026-05-20', state: 'FAILED', reason: 'user_deleted' },
      { nominalDate: '2027-05-20', state: 'SKIPPED' },
    ]);
  });

  test('and was never planned leaves what fell due before, for the audit', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.deleteUser(userId, BERLIN_2026 + HOUR);
    expect(await fixture.planner.findOccasions([userId])).toEqual([
      { ...birthdayOf(userId), userId },
    ]);
    expect(await fixture.plan(userId, BERLIN_2026 + 2 * HOUR)).toMatchObject({ kind: 'ended' });
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { nominalDate: '2026-05-20', state: 'SKIPPED', reason: 'user_deleted' },
    ]);
  });

  test('or never existed, ends it too, and leaves no trace', async () => {
    const userId = '019a0000-0000-7000-8000-000000000000';
    expect(await fixture.plan(userId)).toEqual({ ...birthdayOf(userId), kind: 'ended' });
    expect(await fixture.occasionOf(userId)).toBeNull();
  });
});

describe('too late', () => {
  const LATE = BERLIN_2026 + HOUR;

  test('requires both clocks: that of the process alone skips nobody', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.setClock(LATE);
    const ahead = fixture.plannerWith({ skewMs: 49 * HOUR });
    expect(await ahead.plan([birthdayOf(userId)])).toMatchObject([{ dueAt: BERLIN_2026 }]);
  });

  test('requires both clocks: that of the database alone skips nobody', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.setClock(LATE + 49 * HOUR);
    const behind = fixture.plannerWith({ skewMs: -49 * HOUR });
    expect(await behind.plan([birthdayOf(userId)])).toMatchObject([{ dueAt: BERLIN_2026 }]);
  });
});
