import { describe, expect, test } from 'vitest';

import { claimSql } from '../../src/ledger/claim.ts';
import { EXPIRED_LEASE_GRACE_MS } from '../../src/ledger/types.ts';
import { HOUR, LEASE_MS, MINUTE, SECOND, useLedgerFixture } from './ledger-fixture.ts';

const fixture = useLedgerFixture();

const terms = () => ({ now: Date.now(), leaseMs: LEASE_MS, takesExpired: true });

const keysOf = (claimed: readonly { readonly key: string }[]) => claimed.map(({ key }) => key);

describe('a claim', () => {
  test('returns due rows with their plans, and counts no attempt', async () => {
    const dueAt = Date.now() - SECOND;
    const key = await fixture.planned(dueAt);
    const userId = key.split(':')[1];
    const before = Date.now();

    const { claimed, databaseNow, allowed } = await fixture.claim(10);

    expect(claimed).toEqual([
      {
        key,
        leaseToken: 1,
        occasionType: 'birthday',
        occasionId: userId,
        userId,
        destination: 'default',
        nominalDate: '2026-05-20',
        recurrence: 'birthday',
        date: '1990-05-20',
        keptDate: '2026-05-20',
        timezone: 'Europe/Berlin',
        localDate: '2026-05-20',
        dueAt,
        inputsAt: Date.UTC(2026, 0, 1),
        rulesId: expect.any(Number),
        supersededAt: null,
        attempt: 1,
        earlierAttempts: 0,
        firstAttemptAt: null,
        late: false,
        redelivered: false,
      },
    ]);
    expect(allowed).toBe(10);
    expect(databaseNow).toBeGreaterThanOrEqual(before - SECOND);
    const row = await fixture.rows.find(key);
    expect(row).toMatchObject({ state: 'PROCESSING', leaseToken: 1, attempts: 0 });
    expect(row.firstAttemptAt).toBeNull();
    expect(row.leaseUntil).toBeCloseTo(databaseNow + LEASE_MS, -1);
    expect(row.nextAttemptAt).toBe(dueAt);
  });

  test("is never early by the process's clock", async () => {
    const dueAt = Date.now() - SECOND;
    await fixture.planned(dueAt);
    expect(await fixture.claimed(10, { now: dueAt - 1 })).toEqual([]);
    expect(await fixture.claimed(10, { now: dueAt })).toHaveLength(1);
  });

  test("is never early by the database's clock", async () => {
    await fixture.planned(Date.now() - SECOND);
    await fixture.rows.shiftClock(-MINUTE);
    expect(await fixture.claimed(10, { now: Date.now() })).toEqual([]);
    expect(await fixture.ledger.nextDueInMs(Date.now())).toBeGreaterThan(MINUTE - 5 * SECOND);
    await fixture.rows.shiftClock(0);
    expect(await fixture.claimed()).toHaveLength(1);
  });

  test('returns how far the clocks are apart, even if it takes nothing', async () => {
    await fixture.rows.shiftClock(HOUR);
    const { databaseNow, claimed } = await fixture.claim();
    expect(claimed).toEqual([]);
    expect(databaseNow - Date.now()).toBeGreaterThan(HOUR - MINUTE);
  });

  test('never takes a row that another claim takes at the same time', async () => {
    const keys = await fixture.rows.addHerd(1000, Date.now() - SECOND);
    const claims = await Promise.all(Array.from({ length: 10 }, () => fixture.claimed(200)));
    const claimed = keysOf(claims.flat());
    expect(claimed.length).toBeGreaterThan(200);
    expect(new Set(claimed).size).toBe(claimed.length);
    const rest = keysOf(await fixture.claimed(1000));
    expect(new Set([...claimed, ...rest])).toEqual(new Set(keys));
  });

  test('takes nothing that is settled, blocked, or waits for its plan', async () => {
    for (const state of ['COMPLETED', 'FAILED', 'SKIPPED'] as const) {
      await fixture.rows.addOccurrence(await fixture.rows.addUser(), { state });
    }
    const released = await fixture.planned(Date.now() - SECOND);
    await fixture.rows.sql('update events.occurrences set next_attempt_at = null where key = ?', [
      released,
    ]);
    expect(await fixture.claimed()).toEqual([]);
  });
});

describe('the order of claims', () => {
  test('has punctual rows before late ones, however long those have waited', async () => {
    const late = await fixture.planned(Date.now() - HOUR);
    const punctual = await fixture.planned(Date.now() - SECOND);
    expect(await fixture.claimed(1)).toMatchObject([{ key: punctual, late: false }]);
    expect(await fixture.claimed(1)).toMatchObject([{ key: late, late: true }]);
  });

  test('has punctual rows before retries, and among late ones the longest waiting first', async () => {
    const retry = await fixture.planned(Date.now() - 2 * SECOND);
    await fixture.rows.sql(
      `update events.occurrences set priority = 1, attempts = 1, first_attempt_at = due_at
       where key = ?`,
      [retry],
    );
    const punctual = await fixture.planned(Date.now() - SECOND);
    const late = await fixture.planned(Date.now() - HOUR);
    const later = await fixture.planned(Date.now() - HOUR + SECOND);
    const claim = async () => keysOf(await fixture.claimed(1));
    expect([await claim(), await claim(), await claim(), await claim()]).toEqual([
      [punctual],
      [late],
      [later],
      [retry],
    ]);
  });

  test('has no more late ones than requested', async () => {
    await fixture.planned(Date.now() - HOUR);
    const punctual = await fixture.planned(Date.now() - SECOND);
    expect(await fixture.claimed(10, { lateLimit: 0 })).toMatchObject([
      { key: punctual, late: false },
    ]);
    expect(await fixture.claimed(10, { lateLimit: 1 })).toMatchObject([{ late: true }]);
  });

  test('adds late ones after the punctual, up to the limit in all', async () => {
    await fixture.rows.addHerd(5, Date.now() - HOUR);
    await fixture.rows.addHerd(2, Date.now() - SECOND);
    const claimed = await fixture.claimed(4);
    expect(claimed.map(({ late }) => late)).toEqual([false, false, true, true]);
    expect(await fixture.claimed(10)).toHaveLength(3);
  });
});

describe('a lease', () => {
  test('is respected until it ends; then any other process may claim the row', async () => {
    const key = await fixture.planned(Date.now() - SECOND);
    await fixture.claimOne();
    await fixture.setClocks(LEASE_MS - 2 * SECOND);
    expect(await fixture.claimed()).toEqual([]);
    await fixture.setClocks(LEASE_MS + SECOND);
    expect(await fixture.claimed()).toMatchObject([{ key, leaseToken: 2, attempt: 1 }]);
  });

  test('that has expired is left alone by a claim that may not take it, but planned rows are not', async () => {
    const key = await fixture.planned(Date.now() - SECOND);
    await fixture.claimOne();
    await fixture.setClocks(LEASE_MS + EXPIRED_LEASE_GRACE_MS);
    const planned = await fixture.planned(Date.now());
    const withoutExpired = await fixture.claimed(10, { takesExpired: false });
    expect(keysOf(withoutExpired)).toEqual([planned]);
    expect(await fixture.claimOne()).toMatchObject({ key, leaseToken: 2 });
  });

  test('that has expired is not taken by a claim that was sent before an outage and runs after it', async () => {
    await fixture.planned(Date.now() - SECOND);
    await fixture.claimOne();
    await fixture.setClocks(HOUR);
    const now = Date.now() + HOUR;
    const late = fixture.rows.sql<{ key: string | null }>(
      claimSql({ candidates: { kind: 'due', lateLimit: 10 }, limit: 10, spends: false }),
      {
        destination: 'default',
        now,
        leaseMs: LEASE_MS,
        lateAfterMs: MINUTE,
        takesExpiredUntil: now - MINUTE,
      },
    );
    expect(await late).toMatchObject([{ key: null, tookExpired: false }]);
  });

  test('of a process that died before it sent leaves no trace of an attempt: it is still the first', async () => {
    const dueAt = Date.now() - SECOND;
    await fixture.planned(dueAt);
    await fixture.claimOne();
    await fixture.setClocks(49 * HOUR);
    expect(await fixture.claimOne()).toMatchObject({
      attempt: 1,
      earlierAttempts: 0,
      firstAttemptAt: null,
      late: true,
    });
  });
});

describe('a claim by keys', () => {
  test('takes those of them that are due and not leased', async () => {
    const due = await fixture.planned(Date.now() - SECOND);
    const toCome = await fixture.planned(Date.now() + MINUTE);
    const leased = await fixture.planned(Date.now() - MINUTE);
    await fixture.ledger.claimKeys([leased], terms());
    await fixture.planned(Date.now() - SECOND);

    const { claimed } = await fixture.ledger.claimKeys([due, toCome, leased, 'unknown'], terms());

    expect(claimed).toMatchObject([{ key: due, leaseToken: 1 }]);
  });

  test('takes turns with other claims at the rate limit, and takes nothing while paused', async () => {
    const keys = await fixture.rows.addHerd(5, Date.now() - SECOND);
    await fixture.ledger.setRateLimit(1);
    await fixture.rows.sql(
      `update events.destinations set allowance_at = events.clock() - interval '1 hour'`,
    );
    expect(await fixture.ledger.claimKeys(keys, terms())).toMatchObject({
      allowed: 1,
      claimed: [{}],
    });
    expect((await fixture.ledger.claimKeys(keys, terms())).allowed).toBe(0);
    await fixture.ledger.setRateLimit(null);
    await fixture.rows.sql('update events.destinations set paused_at = events.clock()');
    const { allowed, claimed } = await fixture.ledger.claimKeys(keys, terms());
    expect({ allowed, claimed }).toEqual({ allowed: 0, claimed: [] });
  });
});

test('nothing is claimed while deliveries are paused, and claims continue afterwards', async () => {
  await fixture.planned(Date.now() - SECOND);
  await fixture.rows.sql('update events.destinations set paused_at = now()');
  const { claimed, allowed } = await fixture.claim();
  expect({ claimed, allowed }).toEqual({ claimed: [], allowed: 0 });
  await fixture.rows.sql('update events.destinations set paused_at = null');
  expect(await fixture.claimed()).toHaveLength(1);
});

test('all processes together respect the rate limit', async () => {
  await fixture.rows.addHerd(100, Date.now() - SECOND);
  await fixture.ledger.setRateLimit(200);
  const startedAt = performance.now();
  let claimed = 0;
  while (claimed < 100) {
    const claims = await Promise.all([fixture.claimed(100), fixture.claimed(100)]);
    claimed += claims.flat().length;
  }
  const elapsedMs = performance.now() - startedAt;
  // 100 at 200 a second, less the tenth of a second that the bucket may hold.
  expect(elapsedMs).toBeGreaterThan(390);
});

test('the ledger returns when the next row is due, and null if none is planned', async () => {
  expect(await fixture.ledger.nextDueInMs(Date.now())).toBeNull();
  const dueAt = Date.now() + MINUTE;
  await fixture.planned(dueAt);
  const waitMs = await fixture.ledger.nextDueInMs(Date.now());
  expect(waitMs).toBeLessThanOrEqual(MINUTE);
  expect(waitMs).toBeGreaterThan(MINUTE - 10 * SECOND);
  expect(await fixture.ledger.nextDueInMs(dueAt - 5 * MINUTE)).toBeCloseTo(5 * MINUTE, -2);
  await fixture.planned(Date.now() - SECOND);
  expect(await fixture.ledger.nextDueInMs(Date.now())).toBe(0);
});
