import { randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { attemptOf, HOUR, LEASE_MS, MINUTE, SECOND } from './ledger-fixture.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';
import { useRedeliveryFixture } from './redelivery-fixture.ts';

const redelivery = useRedeliveryFixture();
const { ledger: fixture, redeliver, settled, redelivered } = redelivery;
const { failed, delivered, deliver, fail } = redelivery;

test('is due now, behind punctual rows, with its attempt numbers continued and its own give-up clock', async () => {
  const dueAt = Date.now() - 100 * HOUR;
  const { key } = await failed(dueAt);
  await fixture.rows.sql('update events.occurrences set attempts = 4, retry_not_before = now()');
  const punctual = await fixture.planned(Date.now() - 100);
  const before = Date.now();

  await redeliver(key);

  const row = await fixture.rows.find(key);
  expect(row).toMatchObject({
    state: 'PENDING',
    priority: 1,
    reason: null,
    settledAt: null,
    retryNotBefore: null,
    earlierAttempts: 4,
    firstAttemptAt: null,
    followed: false,
    redeliveries: 1,
    forcedAt: null,
  });
  expect(row.nextAttemptAt).toBeGreaterThanOrEqual(before - SECOND);
  expect(row.nextAttemptAt).toBeCloseTo(row.redeliveredAt ?? 0, -1);
  const [first, second] = await fixture.claimed();
  expect(first).toMatchObject({ key: punctual, redelivered: false });
  expect(second).toMatchObject({
    key,
    redelivered: true,
    late: true,
    dueAt,
    attempt: 5,
    earlierAttempts: 4,
    firstAttemptAt: null,
  });
});

test('is never before its instant', async () => {
  const dueAt = Date.now() + HOUR;
  const key = await fixture.rows.addOccurrence(await fixture.rows.addUser(), {
    state: 'SKIPPED',
    dueAt,
  });
  await redeliver(key);
  expect(await fixture.rows.find(key)).toMatchObject({ nextAttemptAt: dueAt });
});

test.each([
  ['PENDING', 'occurrence-live'],
  ['PROCESSING', 'occurrence-live'],
  ['COMPLETED', 'occurrence-delivered'],
] as const)('%s is left as it is', async (state, code) => {
  const key = await settled(state);
  const before = await fixture.rows.find(key);
  await expect(redeliver(key)).rejects.toMatchObject({ code });
  expect(await fixture.rows.find(key)).toEqual(before);
});

test('requires a user, an instant and a row', async () => {
  const orphan = await fixture.rows.addOccurrence(randomUUID(), { state: 'FAILED' });
  const unplanned = await plantOccurrence(fixture.rows.sql, {
    user_id: await fixture.rows.addUser(),
    state: 'SKIPPED',
    due_at: null,
  });
  await expect(redeliver(orphan)).rejects.toMatchObject({ code: 'user-deleted' });
  await expect(redeliver(unplanned)).rejects.toMatchObject({ code: 'occurrence-unplanned' });
  for (const key of [`birthday:${randomUUID()}:2026`, 'birthday:nobody:2026']) {
    await expect(redeliver(key)).rejects.toMatchObject({ code: 'occurrence-not-found' });
  }
});

test('is made once if many are requested at the same time', async () => {
  const key = await settled('FAILED');
  const asked = await Promise.allSettled(Array.from({ length: 8 }, () => redeliver(key)));
  const refusals = asked.filter(({ status }) => status === 'rejected');
  expect(refusals).toHaveLength(7);
  expect(refusals).toMatchObject(refusals.map(() => ({ reason: { code: 'redelivery-running' } })));
  expect(await fixture.rows.find(key)).toMatchObject({ redeliveries: 1 });
});

test('that is given up again is FAILED with the reason, and can be sent again', async () => {
  const key = await redelivered();
  await fail(await fixture.claimOne());
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'FAILED', reason: 'refused' });
  await redeliver(key);
  expect(await fixture.rows.find(key)).toMatchObject({ redeliveries: 2, earlierAttempts: 2 });
});

test('is retried like any other, although the next occurrence is due: it is never superseded', async () => {
  const key = await redelivered();
  await fixture.rows.sql('update events.occurrences set superseded_at = now()');
  const claimed = await fixture.claimOne();
  const at = Date.now() + MINUTE;
  await fixture.ledger.record([attemptOf(claimed, { kind: 'retry', at, notBefore: null })]);
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'PENDING', nextAttemptAt: at });
});

test.each(['user_deleted', 'occasion_deleted', 'suspended'] as const)(
  'ends with its user or occasion: %s',
  async (reason) => {
    const key = await redelivered();
    await fixture.ledger.end([{ ...(await fixture.claimOne()), reason }]);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'FAILED', reason });
  },
);

describe('by force', () => {
  test('a delivered occurrence is sent again, and the row keeps its first delivery', async () => {
    const { key, deliveredAt } = await delivered();
    const before = Date.now();
    await redeliver(key, { force: true });
    const claimed = await fixture.claimOne();
    expect(claimed).toMatchObject({ key, attempt: 2 });
    await deliver(claimed);
    const row = await fixture.rows.find(key);
    expect(row).toMatchObject({ state: 'COMPLETED', deliveredAt, attempts: 2 });
    expect(row.forcedAt).toBeGreaterThanOrEqual(before - SECOND);
  });

  test('a delivered occurrence stays delivered, whatever the result', async () => {
    const { key, deliveredAt } = await delivered();
    await redeliver(key, { force: true });
    await fail(await fixture.claimOne());
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'COMPLETED',
      reason: 'refused',
      deliveredAt,
    });
    await expect(redeliver(key)).rejects.toMatchObject({ code: 'occurrence-delivered' });
    expect(await fixture.claimed()).toEqual([]);
  });

  test('a delivered occurrence is sent again, even if an earlier second delivery is recorded only now', async () => {
    const userId = await fixture.rows.addUser();
    const key = await fixture.rows.addOccurrence(userId, { dueAt: Date.now() - SECOND });
    const lost = await fixture.claimOne();
    const startedAt = Date.now() - MINUTE;
    await fixture.setClocks(LEASE_MS + SECOND);
    await deliver(await fixture.claimOne());
    await redeliver(key, { force: true });
    const next = { kind: 'delivered', at: Date.now() } as const;
    await fixture.ledger.record([attemptOf(lost, next, { startedAt })]);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'PENDING', attempts: 2 });
    expect(await fixture.claimOne()).toMatchObject({ key, redelivered: true });
  });

  test('without a user, it is still COMPLETED', async () => {
    const { key } = await delivered();
    await redeliver(key, { force: true });
    await fixture.ledger.end([{ ...(await fixture.claimOne()), reason: 'user_deleted' }]);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'COMPLETED' });
  });

  test('a failed occurrence is sent again as without force', async () => {
    const key = await settled('FAILED');
    await redeliver(key, { force: true });
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'PENDING', forcedAt: null });
  });
});

/** The process that had the first lease still has to write its outcome. */
async function failedUnderTheNextLease() {
  const userId = await fixture.rows.addUser();
  const key = await fixture.rows.addOccurrence(userId, { dueAt: Date.now() - SECOND });
  const lost = await fixture.claimOne();
  await fixture.setClocks(LEASE_MS + SECOND);
  await fail(await fixture.claimOne());
  return { key, lost };
}

describe('a race with', () => {
  test('a late 2xx of an earlier attempt: that completes it, and nothing more is sent', async () => {
    const { key, lost } = await failedUnderTheNextLease();
    await redeliver(key);
    await deliver(lost);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'COMPLETED' });
    expect(await fixture.claimed()).toEqual([]);
  });

  test('a late 2xx while the next attempt is in flight: that counts, whatever the result of the next', async () => {
    const { key, lost } = await failedUnderTheNextLease();
    await redeliver(key);
    const again = await fixture.claimOne();
    await deliver(lost);
    await fail(again);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'COMPLETED', reason: null });
    expect(await fixture.attemptsOf(key)).toMatchObject([
      { leaseToken: 2 },
      { leaseToken: 1 },
      { leaseToken: 3 },
    ]);
  });

  test('a late failure of an earlier attempt: that neither settles it nor starts its give-up clock', async () => {
    const { key, lost } = await failedUnderTheNextLease();
    await redeliver(key);
    await fail(lost);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'PENDING',
      attempts: 2,
      earlierAttempts: 2,
      firstAttemptAt: null,
    });
  });

  test('the death of a process: its row is claimed again', async () => {
    const key = await redelivered();
    const first = await fixture.claimOne();
    expect(await fixture.claimed()).toEqual([]);
    await fixture.setClocks(LEASE_MS + SECOND);
    expect(await fixture.claimOne()).toMatchObject({
      key,
      attempt: 2,
      leaseToken: first.leaseToken + 1,
      redelivered: true,
    });
  });

  test('a stop before it was sent: its give-up clock has not started', async () => {
    const key = await redelivered();
    await fixture.ledger.returnToQueue([await fixture.claimOne()]);
    expect(await fixture.rows.find(key)).toMatchObject({ attempts: 1, firstAttemptAt: null });
    expect(await fixture.claimOne()).toMatchObject({ key });
  });

  test('a release: a redelivery never waits for a plan, and delays no other release', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.rows.addOccurrence(userId, {
      nominalDate: '2027-05-20',
      dueAt: Date.now() + HOUR,
    });
    const key = await fixture.rows.addOccurrence(userId, { state: 'FAILED' });
    await redeliver(key);
    const other = await fixture.planned(Date.now() - SECOND);
    await fixture.ledger.release(await fixture.claimed());
    expect(await fixture.rows.find(other)).toMatchObject({ state: 'PENDING', nextAttemptAt: null });
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'PROCESSING' });
  });
});
