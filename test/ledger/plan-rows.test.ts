import { describe, expect, test } from 'vitest';

import {
  changeOpenRows,
  markFollowed,
  RowsNotPlannableError,
  settleAllOf,
  TO_PLAN,
  upsertPlanned,
  upsertSkipped,
} from '../../src/ledger/plan-rows.ts';
import { createRedelivery } from '../../src/ledger/redelivery.ts';
import type { OccurrenceState, PlannedRow } from '../../src/ledger/types.ts';
import { born, type Born } from './ledger-plans.ts';
import { attemptOf, HOUR, LEASE_MS, MINUTE, SECOND, useLedgerFixture } from './ledger-fixture.ts';

const fixture = useLedgerFixture();

const { inPlan } = fixture;

const plan = (...rows: readonly PlannedRow[]) => inPlan((em) => upsertPlanned(em, rows));

async function planned(dueAt: number): Promise<Born> {
  const row = born(dueAt);
  await plan(row);
  return row;
}

/** Claims the row and lets its receiver ask for more time. */
async function attempted(at: number, notBefore: number | null = null): Promise<void> {
  const next = { kind: 'retry', at, notBefore } as const;
  await fixture.ledger.record([attemptOf(await fixture.claimOne(), next)]);
}

const settleAll = (userId: string) =>
  inPlan((em) => settleAllOf(em, [{ type: 'birthday', id: userId }], 'user_deleted'));

const remove = (key: string) => inPlan((em) => changeOpenRows(em, [{ key, action: 'remove' }]));

const settle = ({ key }: PlannedRow) =>
  ({ key, action: 'settle', reason: 'date_changed' }) as const;

async function toPlan(): Promise<string[]> {
  const rows = await fixture.rows.sql<{ key: string }>(
    `select key from events.occurrences where ${TO_PLAN} order by key`,
  );
  return rows.map(({ key }) => key);
}

const hourFromNow = (): number => Date.now() + HOUR;

describe('a plan', () => {
  test('of a new occurrence is due at its instant', async () => {
    const row = await planned(hourFromNow());
    expect(await fixture.rows.find(row.key)).toMatchObject({
      state: 'PENDING',
      dueAt: row.dueAt,
      nextAttemptAt: row.dueAt,
      localDate: row.localDate,
      inputsAt: row.inputsAt,
      priority: 0,
      attempts: 0,
    });
  });

  test('whose instant has passed is simply due', async () => {
    const row = await planned(Date.now() - HOUR);
    expect(await fixture.rows.find(row.key)).toMatchObject({ nextAttemptAt: row.dueAt });
    expect(await fixture.claimOne()).toMatchObject({ key: row.key, late: true });
  });

  test('without an instant waits for nothing, and says why', async () => {
    const row = born(null);
    await plan(row);
    expect(await fixture.rows.find(row.key)).toMatchObject({
      state: 'PENDING',
      dueAt: null,
      localDate: null,
      nextAttemptAt: null,
      blockedReason: row.blockedReason,
    });
  });

  test('that is made again keeps what the row waits for, and its attempts', async () => {
    const row = await planned(Date.now() - MINUTE);
    const at = hourFromNow();
    await attempted(at);
    const before = await fixture.rows.find(row.key);

    await plan({ ...row, inputsAt: row.inputsAt + 1, supersededAt: at + HOUR });

    expect(await fixture.rows.find(row.key)).toEqual({
      ...before,
      inputsAt: row.inputsAt + 1,
      supersededAt: at + HOUR,
    });
  });

  test('that is made again for a released row makes it due again', async () => {
    const row = await planned(Date.now() - MINUTE);
    await fixture.ledger.release([await fixture.claimOne()]);
    await plan(row);
    expect(await fixture.rows.find(row.key)).toMatchObject({ nextAttemptAt: row.dueAt });
  });

  test('that is made again keeps the time that the receiver asked for, even for a released row and at another instant', async () => {
    const row = await planned(Date.now() - MINUTE);
    const notBefore = hourFromNow();
    await attempted(notBefore, notBefore);
    await plan(row);
    expect(await fixture.rows.find(row.key)).toMatchObject({ nextAttemptAt: notBefore });

    await fixture.setClocks(2 * HOUR);
    await fixture.ledger.release([await fixture.claimOne()]);
    await fixture.setClocks(0);
    await plan(row);
    expect(await fixture.rows.find(row.key)).toMatchObject({ nextAttemptAt: notBefore });

    await plan({ ...row, dueAt: Date.now() - SECOND });
    expect(await fixture.rows.find(row.key)).toMatchObject({ nextAttemptAt: notBefore });
    expect(await fixture.claimed()).toEqual([]);
  });

  test('with another instant starts with a first attempt: earlier attempts have no clock', async () => {
    const row = await planned(Date.now() - MINUTE);
    await attempted(Date.now() + SECOND);
    const dueAt = hourFromNow();

    await plan({ ...row, dueAt });

    expect(await fixture.rows.find(row.key)).toMatchObject({
      state: 'PENDING',
      dueAt,
      nextAttemptAt: dueAt,
      priority: 0,
      attempts: 1,
      earlierAttempts: 1,
      firstAttemptAt: null,
    });
    await fixture.setClocks(2 * HOUR);
    expect(await fixture.claimOne()).toMatchObject({
      attempt: 2,
      earlierAttempts: 1,
      firstAttemptAt: null,
    });
  });

  test('that has found an instant unblocks the row, and one that has lost it blocks it', async () => {
    const row = born(null);
    await plan(row);
    const dueAt = hourFromNow();
    const withInstant = { ...row, dueAt, localDate: row.nominalDate, blockedReason: null };
    await plan(withInstant);
    expect(await fixture.rows.find(row.key)).toMatchObject({ dueAt, nextAttemptAt: dueAt });
    await plan(row);
    expect(await fixture.rows.find(row.key)).toMatchObject({ dueAt: null, nextAttemptAt: null });
  });

  test.each([
    ['SKIPPED', `reason = 'too_late'`],
    ['FAILED', `reason = 'date_changed', attempts = 2, first_attempt_at = now()`],
  ])('takes up again a row that is %s with %s', async (state, columns) => {
    const row = await planned(Date.now() - MINUTE);
    await fixture.rows.sql(
      `update events.occurrences set state = ?, ${columns}, settled_at = now(), followed = true,
         next_attempt_at = null where key = ?`,
      [state, row.key],
    );
    const dueAt = hourFromNow();
    await plan({ ...row, dueAt });
    const planned_ = await fixture.rows.find(row.key);
    expect(planned_).toMatchObject({
      state: 'PENDING',
      reason: null,
      settledAt: null,
      followed: false,
      nextAttemptAt: dueAt,
      firstAttemptAt: null,
    });
    expect(planned_.earlierAttempts).toBe(planned_.attempts);
  });

  test.each(['COMPLETED', 'FAILED'] as const)('never changes a row that is %s', async (state) => {
    const row = born(hourFromNow());
    await fixture.rows.addOccurrence(row.userId, { state });
    const before = await fixture.rows.find(row.key);
    await expect(plan(row)).rejects.toThrow(RowsNotPlannableError);
    expect(await fixture.rows.find(row.key)).toEqual(before);
  });

  test('never changes a redelivered row', async () => {
    const userId = await fixture.rows.addUser();
    const row = born(hourFromNow(), userId);
    await fixture.rows.addOccurrence(userId, { state: 'FAILED' });
    await createRedelivery(fixture.database.orm).redeliver(row.key, { force: false });
    const before = await fixture.rows.find(row.key);
    await expect(plan(row)).rejects.toThrow(RowsNotPlannableError);
    await expect(
      inPlan((em) => changeOpenRows(em, [{ key: row.key, action: 'settle', reason: 'too_late' }])),
    ).rejects.toThrow(RowsNotPlannableError);
    expect(await fixture.rows.find(row.key)).toEqual(before);
  });

  test('writes all rows of a batch or, if one must not be planned, none', async () => {
    const leased = await planned(Date.now() - MINUTE);
    await fixture.claimOne();
    const other = born(hourFromNow());
    await expect(plan(other, leased)).rejects.toThrow(new RegExp(`are: ${leased.key}$`));
    await expect(fixture.rows.find(other.key)).rejects.toThrow('no row');
  });

  test('allows one open row per occasion', async () => {
    const row = await planned(hourFromNow());
    const next = { ...row, key: row.key.replace('2026', '2027'), nominalDate: '2027-05-20' };
    await expect(plan(next)).rejects.toThrow('occurrences_open');
    await inPlan(async (em) => {
      await changeOpenRows(em, [{ key: row.key, action: 'remove' }]);
      await upsertPlanned(em, [next]);
    });
    expect(await fixture.rows.find(next.key)).toMatchObject({ state: 'PENDING' });
  });
});

describe('a plan of a row under a lease', () => {
  test('leaves an expired lease to its holder, while the instant stays', async () => {
    const row = await planned(Date.now() - MINUTE);
    const claimed = await fixture.claimOne();
    await fixture.setClocks(LEASE_MS + SECOND);
    await plan(row);
    expect(await fixture.rows.find(row.key)).toMatchObject({ state: 'PROCESSING' });
    expect(await fixture.claimed(10, { takesExpired: false })).toEqual([]);
    const next = { kind: 'failed', at: Date.now(), reason: 'refused' } as const;
    expect(await fixture.ledger.record([attemptOf(claimed, next)])).toEqual({
      locked: [],
      lost: [],
    });
  });

  test('with another instant takes it from an expired lease, but lets a delivery be written first', async () => {
    const row = await planned(Date.now() - MINUTE);
    const claimed = await fixture.claimOne();
    await fixture.setClocks(LEASE_MS + SECOND);
    await plan({ ...row, dueAt: row.dueAt - HOUR });
    expect(await fixture.rows.find(row.key)).toMatchObject({ state: 'PENDING', leaseUntil: null });
    expect(await fixture.claimed(10, { takesExpired: false })).toEqual([]);
    const next = { kind: 'delivered', at: Date.now() } as const;
    await fixture.ledger.record([attemptOf(claimed, next)]);
    expect(await fixture.rows.find(row.key)).toMatchObject({ state: 'COMPLETED' });
  });
});

describe('an occurrence that fell due and must not be sent', () => {
  test('is written as SKIPPED with the reason, or settles the open row', async () => {
    const row = born(Date.now() - 100 * HOUR);
    await inPlan((em) => upsertSkipped(em, [{ ...row, reason: 'too_late' }]));
    expect(await fixture.rows.find(row.key)).toMatchObject({
      state: 'SKIPPED',
      reason: 'too_late',
      dueAt: row.dueAt,
      nextAttemptAt: null,
    });

    const open = await planned(Date.now() - MINUTE);
    await inPlan((em) => upsertSkipped(em, [{ ...open, reason: 'superseded' }]));
    expect(await fixture.rows.find(open.key)).toMatchObject({ state: 'SKIPPED' });
  });

  test('is FAILED with the reason if it was attempted', async () => {
    const row = await planned(Date.now() - MINUTE);
    await attempted(Date.now() + SECOND);
    await inPlan((em) => upsertSkipped(em, [{ ...row, reason: 'superseded' }]));
    expect(await fixture.rows.find(row.key)).toMatchObject({
      state: 'FAILED',
      reason: 'superseded',
    });
  });

  test.each(['COMPLETED', 'FAILED', 'SKIPPED'] as const)(
    'stays as it is when it is %s already',
    async (state) => {
      const row = born(Date.now());
      await fixture.rows.addOccurrence(row.userId, { state });
      const before = await fixture.rows.find(row.key);
      await inPlan((em) => upsertSkipped(em, [{ ...row, reason: 'suspended' }]));
      expect(await fixture.rows.find(row.key)).toEqual(before);
    },
  );
});

describe('an open row that does not stay', () => {
  test('is removed if it never fell due, which the planner knows, not the instant', async () => {
    for (const dueAt of [hourFromNow(), Date.now() - MINUTE]) {
      const row = await planned(dueAt);
      await remove(row.key);
      await expect(fixture.rows.find(row.key)).rejects.toThrow('no row');
    }
  });

  test('that is written again begins with a lease token that no process can hold', async () => {
    const row = await planned(Date.now() - MINUTE);
    const { leaseToken } = await fixture.claimOne();
    await fixture.setClocks(LEASE_MS + SECOND);
    await plan({ ...row, dueAt: hourFromNow() });
    await remove(row.key);
    await plan(row);
    await fixture.setClocks(MINUTE);
    expect((await fixture.claimOne()).leaseToken).toBeGreaterThan(leaseToken);
  });

  test('is not removed once it was attempted, or while a lease is open', async () => {
    const row = await planned(Date.now() - MINUTE);
    const claimed = await fixture.claimOne();
    await fixture.setClocks(LEASE_MS + SECOND);
    await expect(remove(row.key)).rejects.toThrow(RowsNotPlannableError);
    const next = { kind: 'retry', at: Date.now() + SECOND, notBefore: null } as const;
    await fixture.ledger.record([attemptOf(claimed, next)]);
    await expect(remove(row.key)).rejects.toThrow(RowsNotPlannableError);
  });

  test('is settled with the reason: SKIPPED, or FAILED if it was attempted', async () => {
    const skipped = await planned(hourFromNow());
    const failed = await planned(Date.now() - MINUTE);
    await attempted(Date.now() + SECOND);
    await inPlan((em) => changeOpenRows(em, [settle(failed), settle(skipped)]));
    expect(await fixture.rows.find(skipped.key)).toMatchObject({ state: 'SKIPPED' });
    expect(await fixture.rows.find(failed.key)).toMatchObject({
      state: 'FAILED',
      reason: 'date_changed',
    });
  });
});

describe('a deletion', () => {
  test('settles what is planned, even while deliveries are paused, and other occasions stay', async () => {
    await fixture.rows.sql('update events.destinations set paused_at = now()');
    const row = await planned(hourFromNow());
    const other = await planned(hourFromNow());
    expect(await settleAll(row.userId)).toEqual([]);
    expect(await fixture.rows.find(row.key)).toMatchObject({
      state: 'SKIPPED',
      reason: 'user_deleted',
    });
    expect(await fixture.rows.find(other.key)).toMatchObject({ state: 'PENDING' });
  });

  test.each([
    ['FAILED', 'FAILED'],
    ['SKIPPED', 'SKIPPED'],
    ['COMPLETED', 'COMPLETED'],
  ] as const)('settles a redelivery of what was %s as %s', async (state, end) => {
    const userId = await fixture.rows.addUser();
    const key = await fixture.rows.addOccurrence(userId, { state: state as OccurrenceState });
    await createRedelivery(fixture.database.orm).redeliver(key, { force: true });
    expect(await settleAll(userId)).toEqual([]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: end,
      reason: 'user_deleted',
      followed: false,
    });
  });

  test('settles a row that is being sent once its lease has ended, by planning again', async () => {
    const userId = await fixture.rows.addUser();
    const key = await fixture.rows.addOccurrence(userId, { state: 'FAILED' });
    await createRedelivery(fixture.database.orm).redeliver(key, { force: false });
    await fixture.claimOne();
    const { leaseUntil } = await fixture.rows.find(key);
    expect(await settleAll(userId)).toEqual([{ type: 'birthday', id: userId, leaseUntil }]);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'PROCESSING' });

    // The process died: no other would ever touch the row of a deleted user.
    await fixture.setClocks(LEASE_MS + SECOND);
    expect(await settleAll(userId)).toEqual([]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'FAILED',
      reason: 'user_deleted',
      leaseUntil: null,
    });
  });
});

describe('the rows that have to be followed by a plan', () => {
  test('are those that are settled or wait for their plan, until they are marked', async () => {
    const settled = await planned(Date.now() - MINUTE);
    await fixture.ledger.record([
      attemptOf(await fixture.claimOne(), { kind: 'delivered', at: Date.now() }),
    ]);
    const released = await planned(Date.now() - MINUTE);
    await fixture.ledger.release([await fixture.claimOne()]);
    await planned(hourFromNow());
    await plan(born(null));
    expect(await toPlan()).toEqual([settled.key, released.key].toSorted());

    const occasions = [settled, released].map(({ userId }) => ({ type: 'birthday', id: userId }));
    await inPlan((em) => markFollowed(em, occasions));
    await plan(released);
    expect(await toPlan()).toEqual([]);
  });

  test('include a redelivery again once it is settled, and not while it is open', async () => {
    const userId = await fixture.rows.addUser();
    const key = await fixture.rows.addOccurrence(userId, { state: 'FAILED' });
    await inPlan((em) => markFollowed(em, [{ type: 'birthday', id: userId }]));
    expect(await toPlan()).toEqual([]);
    await createRedelivery(fixture.database.orm).redeliver(key, { force: false });
    expect(await toPlan()).toEqual([]);
    const next = { kind: 'failed', at: Date.now(), reason: 'refused' } as const;
    await fixture.ledger.record([attemptOf(await fixture.claimOne(), next)]);
    expect(await toPlan()).toEqual([key]);
  });
});
