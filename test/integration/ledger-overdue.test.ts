import { expect, test } from 'vitest';

import { attemptOf, MINUTE, useLedgerFixture } from '../support/ledger-fixture.ts';

const fixture = useLedgerFixture();

const GRACE_MS = 2_000;

/** Planned a minute ago, and due since then. */
async function overdue(lateMs = 10_000): Promise<string> {
  const key = await fixture.planned(Date.now() - lateMs);
  await planAgain(key, MINUTE);
  return key;
}

/** What a plan does to its row: the instant of the plan is so long ago. */
async function planAgain(key: string, agoMs: number): Promise<void> {
  await fixture.rows.sql(
    `update events.occurrences set planned_at = events.clock() - ?::int * interval '1 millisecond'
     where key = ?`,
    [agoMs, key],
  );
}

function armOverdue(limit = 100): Promise<number> {
  return fixture.ledger.armOverdue({ limit, graceMs: GRACE_MS });
}

test('arms what no activity armed, on time or late, without a token', async () => {
  const onTime = await overdue();
  const late = await overdue(6 * MINUTE);
  expect(await armOverdue()).toBe(2);
  expect(await fixture.rows.find(onTime)).toMatchObject({
    state: 'PROCESSING',
    lane: 0,
    token: null,
  });
  expect(await fixture.rows.find(late)).toMatchObject({
    state: 'PROCESSING',
    lane: 1,
    token: null,
  });
  const claimed = await fixture.claim();
  expect(claimed.map(({ key, late: isLate }) => [key, isLate])).toEqual([
    [onTime, false],
    [late, true],
  ]);
});

test('leaves what is to come, what is only just due, and what has only just been planned', async () => {
  await fixture.planned(Date.now() + MINUTE);
  const justDue = await fixture.planned(Date.now() - GRACE_MS / 4);
  await planAgain(justDue, MINUTE);
  const justPlanned = await overdue();
  await planAgain(justPlanned, GRACE_MS / 4);
  expect(await armOverdue()).toBe(0);
});

test('leaves what cannot be planned, what is armed, and what is settled', async () => {
  const blocked = await overdue();
  await fixture.rows.sql(
    `update events.occurrences set blocked_reason = 'no such zone' where key = ?`,
    [blocked],
  );
  const fireAt = Date.now() - 10_000;
  await fixture.armed(fireAt);
  for (const state of ['COMPLETED', 'FAILED', 'SKIPPED']) {
    await fixture.rows.addOccurrence(await fixture.rows.addUser(), { fireAt, state });
  }
  await fixture.rows.sql(
    `update events.occurrences set planned_at = planned_at - interval '1 hour'`,
  );
  expect(await armOverdue()).toBe(0);
});

test('an activity that comes later gets the outcome, or the row', async () => {
  const key = await overdue();
  const { fireAt } = await fixture.rows.find(key);
  await armOverdue();
  const claimed = await fixture.claimOne();
  expect(await fixture.arm(key, fireAt ?? 0, 'a2')).toEqual({ kind: 'armed' });
  await fixture.ledger.record([attemptOf(claimed, { kind: 'delivered', at: Date.now() })]);
  expect(await fixture.rows.find(key)).toMatchObject({
    state: 'COMPLETED',
    token: 'a2',
    report: 'delivered',
  });

  const other = await overdue();
  await armOverdue();
  await fixture.ledger.record([
    attemptOf(await fixture.claimOne(), { kind: 'delivered', at: Date.now() }),
  ]);
  expect(await fixture.rows.find(other)).toMatchObject({ state: 'COMPLETED', report: null });
  expect(await fixture.arm(other, (await fixture.rows.find(other)).fireAt ?? 0)).toEqual({
    kind: 'settled',
    outcome: 'delivered',
  });
});

test('with nobody to retry it, the ledger does, each time after a new burst', async () => {
  const key = await overdue();
  await armOverdue();
  const at = Date.now() + MINUTE;
  await fixture.ledger.record([attemptOf(await fixture.claimOne(), { kind: 'retry', at })]);
  expect(await fixture.rows.find(key)).toMatchObject({
    state: 'PROCESSING',
    nextAttemptAt: at,
    retryAt: at,
    attempts: 1,
    armedAttempts: 0,
    report: null,
  });
  await fixture.rows.shiftClock(MINUTE + 1000);
  const [again] = await fixture.claim(1, at + 1000);
  expect(again).toMatchObject({ key, attempt: 2, armedAttempt: 1 });
});

test('what a claim lets go of, because the user has changed, waits for its next plan', async () => {
  const key = await overdue();
  await armOverdue();
  const { fence } = await fixture.claimOne();
  await fixture.ledger.release([{ key, fence, because: 'changed' }]);
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'PENDING', attempts: 0 });
  await fixture.rows.shiftClock(MINUTE);
  expect(await armOverdue()).toBe(0);
  await planAgain(key, GRACE_MS + 1000);
  expect(await armOverdue()).toBe(1);
});

test('tells an activity of an earlier plan what it was to be told', async () => {
  const fireAt = Date.now() - 10_000;
  const key = await fixture.armed(fireAt, 'aa01');
  const { fence } = await fixture.claimOne();
  await fixture.ledger.release([{ key, fence, because: 'changed' }]);
  await fixture.rows.shiftClock(MINUTE);
  await planAgain(key, GRACE_MS + 1000);
  expect(await armOverdue()).toBe(1);
  expect(await fixture.rows.find(key)).toMatchObject({ token: 'aa01', report: 'released' });
});

test('several at once arm each row once, and wait for none that is locked', async () => {
  const keys = await Promise.all(Array.from({ length: 40 }, () => overdue()));
  const [locked = ''] = keys;
  await fixture.whileLocked(locked, async () => {
    const counts = await Promise.all([armOverdue(25), armOverdue(25), armOverdue(25)]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(39);
  });
  expect(await armOverdue()).toBe(1);
  expect(await armOverdue()).toBe(0);
});
