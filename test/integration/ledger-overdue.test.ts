import { expect, test } from 'vitest';

import { attemptOf, MINUTE, useLedgerBench } from '../support/ledger-bench.ts';

const bench = useLedgerBench();

const GRACE_MS = 2_000;

/** Planned a minute ago, and due since then. */
async function overdue(lateMs = 10_000): Promise<string> {
  const key = await bench.planned(Date.now() - lateMs);
  await planAgain(key, MINUTE);
  return key;
}

/** What a plan does to its row: the instant of the plan is so long ago. */
async function planAgain(key: string, agoMs: number): Promise<void> {
  await bench.rows.sql(
    `update events.occurrences set planned_at = events.clock() - ?::int * interval '1 millisecond'
     where key = ?`,
    [agoMs, key],
  );
}

function armOverdue(limit = 100): Promise<number> {
  return bench.ledger.armOverdue({ limit, graceMs: GRACE_MS });
}

test('arms what no activity armed, on time or late, without a token', async () => {
  const onTime = await overdue();
  const late = await overdue(6 * MINUTE);
  expect(await armOverdue()).toBe(2);
  expect(await bench.rows.find(onTime)).toMatchObject({
    state: 'PROCESSING',
    lane: 0,
    token: null,
  });
  expect(await bench.rows.find(late)).toMatchObject({ state: 'PROCESSING', lane: 1, token: null });
  const claimed = await bench.claim();
  expect(claimed.map(({ key, late: isLate }) => [key, isLate])).toEqual([
    [onTime, false],
    [late, true],
  ]);
});

test('leaves what is to come, what is only just due, and what has only just been planned', async () => {
  await bench.planned(Date.now() + MINUTE);
  const justDue = await bench.planned(Date.now() - GRACE_MS / 4);
  await planAgain(justDue, MINUTE);
  const justPlanned = await overdue();
  await planAgain(justPlanned, GRACE_MS / 4);
  expect(await armOverdue()).toBe(0);
});

test('leaves what cannot be planned, what is armed, and what is settled', async () => {
  const blocked = await overdue();
  await bench.rows.sql(
    `update events.occurrences set blocked_reason = 'no such zone' where key = ?`,
    [blocked],
  );
  const fireAt = Date.now() - 10_000;
  await bench.armed(fireAt);
  for (const state of ['COMPLETED', 'FAILED', 'SKIPPED']) {
    await bench.rows.addOccurrence(await bench.rows.addUser(), { fireAt, state });
  }
  await bench.rows.sql(`update events.occurrences set planned_at = planned_at - interval '1 hour'`);
  expect(await armOverdue()).toBe(0);
});

test('an activity that comes later gets the outcome, or the row', async () => {
  const key = await overdue();
  const { fireAt } = await bench.rows.find(key);
  await armOverdue();
  const claimed = await bench.claimOne();
  expect(await bench.arm(key, fireAt ?? 0, 'a2')).toEqual({ kind: 'armed' });
  await bench.ledger.record([attemptOf(claimed, { kind: 'delivered', at: Date.now() })]);
  expect(await bench.rows.find(key)).toMatchObject({
    state: 'COMPLETED',
    token: 'a2',
    report: 'delivered',
  });

  const other = await overdue();
  await armOverdue();
  await bench.ledger.record([
    attemptOf(await bench.claimOne(), { kind: 'delivered', at: Date.now() }),
  ]);
  expect(await bench.rows.find(other)).toMatchObject({ state: 'COMPLETED', report: null });
  expect(await bench.arm(other, (await bench.rows.find(other)).fireAt ?? 0)).toEqual({
    kind: 'settled',
    outcome: 'delivered',
  });
});

test('with nobody to retry it, the ledger does, each time after a new burst', async () => {
  const key = await overdue();
  await armOverdue();
  const at = Date.now() + MINUTE;
  await bench.ledger.record([attemptOf(await bench.claimOne(), { kind: 'retry', at })]);
  expect(await bench.rows.find(key)).toMatchObject({
    state: 'PROCESSING',
    nextAttemptAt: at,
    retryAt: at,
    attempts: 1,
    armedAttempts: 0,
    report: null,
  });
  await bench.rows.shiftClock(MINUTE + 1000);
  const [again] = await bench.claim(1, at + 1000);
  expect(again).toMatchObject({ key, attempt: 2, armedAttempt: 1 });
});

test('what a claim lets go of, because the user has changed, waits for its next plan', async () => {
  const key = await overdue();
  await armOverdue();
  const { fence } = await bench.claimOne();
  await bench.ledger.release([{ key, fence, because: 'changed' }]);
  expect(await bench.rows.find(key)).toMatchObject({ state: 'PENDING', attempts: 0 });
  await bench.rows.shiftClock(MINUTE);
  expect(await armOverdue()).toBe(0);
  await planAgain(key, GRACE_MS + 1000);
  expect(await armOverdue()).toBe(1);
});

test('tells an activity of an earlier plan what it was to be told', async () => {
  const fireAt = Date.now() - 10_000;
  const key = await bench.armed(fireAt, 'aa01');
  const { fence } = await bench.claimOne();
  await bench.ledger.release([{ key, fence, because: 'changed' }]);
  await bench.rows.shiftClock(MINUTE);
  await planAgain(key, GRACE_MS + 1000);
  expect(await armOverdue()).toBe(1);
  expect(await bench.rows.find(key)).toMatchObject({ token: 'aa01', report: 'released' });
});

test('several at once arm each row once, and wait for none that is locked', async () => {
  const keys = await Promise.all(Array.from({ length: 40 }, () => overdue()));
  const [locked = ''] = keys;
  await bench.whileLocked(locked, async () => {
    const counts = await Promise.all([armOverdue(25), armOverdue(25), armOverdue(25)]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(39);
  });
  expect(await armOverdue()).toBe(1);
  expect(await armOverdue()).toBe(0);
});
