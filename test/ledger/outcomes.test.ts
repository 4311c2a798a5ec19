import { describe, expect, test } from 'vitest';

import type { EndReason, FailReason, NextStep } from '../../src/ledger/types.ts';
import { attemptOf, HOUR, LEASE_MS, MINUTE, SECOND, useLedgerFixture } from './ledger-fixture.ts';

const fixture = useLedgerFixture();

const DONE = { locked: [], lost: [] };

const delivered = (at = Date.now()): NextStep => ({ kind: 'delivered', at });
const retry = (at: number, notBefore: number | null = null): NextStep => ({
  kind: 'retry',
  at,
  notBefore,
});
const failed = (reason: FailReason | 'superseded' = 'refused'): NextStep => ({
  kind: 'failed',
  at: Date.now(),
  reason,
});

/** Another process takes the row, since the first lease has expired. */
async function takeOver() {
  await fixture.setClocks(LEASE_MS + SECOND);
  return fixture.claimOne();
}

/** A claimed row whose next occurrence is due at this instant. */
async function claimedBefore(supersededAt: number) {
  const key = await fixture.planned(Date.now() - SECOND);
  await fixture.rows.sql(
    'update events.occurrences set superseded_at = to_timestamp(? / 1000.0) where key = ?',
    [supersededAt, key],
  );
  return { key, claimed: await fixture.claimOne() };
}

describe('recording', () => {
  test('a delivery completes the row, with its lateness, and its successor is to be planned', async () => {
    const dueAt = Date.now() - 3 * SECOND;
    const key = await fixture.planned(dueAt);
    const at = dueAt + 2345;
    const attempt = attemptOf(await fixture.claimOne(), delivered(at), {
      responseExcerpt: `it's "ok"? \\ \u{1F382}`,
      sentBy: 'workflow',
      startedAt: dueAt + 2000,
    });
    expect(await fixture.ledger.record([attempt])).toEqual(DONE);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'COMPLETED',
      deliveredAt: at,
      settledAt: at,
      latenessMs: 2345,
      attempts: 1,
      firstAttemptAt: dueAt + 2000,
      nextAttemptAt: null,
      leaseUntil: null,
      followed: false,
    });
    expect(await fixture.attemptsOf(key)).toEqual([
      {
        number: 1,
        leaseToken: 1,
        sentBy: 'workflow',
        outcome: 'delivered',
        status: 200,
        errorCode: null,
        excerpt: `it's "ok"? \\ \u{1F382}`,
      },
    ]);
  });

  test('a retry waits in the ledger, behind punctual rows, with the clock of its first attempt', async () => {
    const key = await fixture.planned(Date.now() - 5 * SECOND);
    const at = Date.now() + 2 * SECOND;
    const attempt = attemptOf(await fixture.claimOne(), retry(at));
    expect(await fixture.ledger.record([attempt])).toEqual(DONE);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'PENDING',
      priority: 1,
      nextAttemptAt: at,
      leaseUntil: null,
      attempts: 1,
      firstAttemptAt: attempt.startedAt,
    });
    expect(await fixture.claimed()).toEqual([]);
    await fixture.setClocks(3 * SECOND);
    expect(await fixture.claimOne()).toMatchObject({
      attempt: 2,
      leaseToken: 2,
      late: true,
      firstAttemptAt: attempt.startedAt,
    });
  });

  test('retries need only the ledger, however many there are', async () => {
    const key = await fixture.planned(Date.now() - SECOND);
    for (let nth = 1; nth <= 8; nth += 1) {
      await fixture.setClocks(nth * HOUR);
      const claimed = await fixture.claimOne();
      expect(claimed.attempt).toBe(nth);
      const at = Date.now() + (nth + 1) * HOUR - MINUTE;
      expect(await fixture.ledger.record([attemptOf(claimed, retry(at))])).toEqual(DONE);
    }
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'PENDING', attempts: 8 });
  });

  test('the time that the receiver asked for is stored with the row', async () => {
    const key = await fixture.planned(Date.now() - SECOND);
    const notBefore = Date.now() + HOUR;
    const attempt = attemptOf(await fixture.claimOne(), retry(notBefore + SECOND, notBefore));
    await fixture.ledger.record([attempt]);
    expect(await fixture.rows.find(key)).toMatchObject({
      nextAttemptAt: notBefore + SECOND,
      retryNotBefore: notBefore,
    });
  });

  test.each(['refused', 'gone', 'gave_up', 'superseded'] as const)(
    'what failed permanently (%s) is FAILED with the reason, however often it is written',
    async (reason) => {
      const key = await fixture.planned(Date.now() - 5 * SECOND);
      const attempt = attemptOf(await fixture.claimOne(), failed(reason), { status: 400 });
      // A second time, as when the response to the first was lost.
      for (let time = 1; time <= 2; time++) {
        expect(await fixture.ledger.record([attempt])).toEqual(DONE);
      }
      expect(await fixture.rows.find(key)).toMatchObject({
        state: 'FAILED',
        reason,
        attempts: 1,
        nextAttemptAt: null,
      });
      expect(await fixture.attemptsOf(key)).toHaveLength(1);
    },
  );

  describe('a retry at or after the next due instant', () => {
    test('is not made: the row is FAILED as superseded at once', async () => {
      const at = Date.now() + HOUR;
      const { key, claimed } = await claimedBefore(at);
      expect(claimed.supersededAt).toBe(at);
      const attempt = attemptOf(claimed, retry(at));
      await fixture.ledger.record([attempt]);
      expect(await fixture.rows.find(key)).toMatchObject({
        state: 'FAILED',
        reason: 'superseded',
        settledAt: attempt.startedAt + attempt.durationMs,
        attempts: 1,
        nextAttemptAt: null,
      });
    });

    test('is made if it comes sooner', async () => {
      const at = Date.now() + HOUR;
      const { key, claimed } = await claimedBefore(at);
      await fixture.ledger.record([attemptOf(claimed, retry(at - 1))]);
      expect(await fixture.rows.find(key)).toMatchObject({ state: 'PENDING' });
    });
  });

  test('an outcome under an expired lease counts, as long as no other process took the row', async () => {
    const key = await fixture.planned(Date.now() - SECOND);
    const claimed = await fixture.claimOne();
    await fixture.setClocks(LEASE_MS + SECOND);
    expect(await fixture.ledger.record([attemptOf(claimed, failed())])).toEqual(DONE);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'FAILED' });
  });

  test('writing the same batch twice has the same result', async () => {
    const first = await fixture.planned(Date.now() - 5 * SECOND);
    const second = await fixture.planned(Date.now() - 5 * SECOND);
    const batch = (await fixture.claimed()).map((claimed) =>
      attemptOf(claimed, claimed.key === first ? delivered() : retry(Date.now() + MINUTE)),
    );
    await fixture.ledger.record(batch);
    const before = [await fixture.rows.find(first), await fixture.rows.find(second)];
    expect(await fixture.ledger.record(batch)).toEqual(DONE);
    expect([await fixture.rows.find(first), await fixture.rows.find(second)]).toEqual(before);
  });
});

describe('an attempt whose lease was lost', () => {
  test('is stored and counted, and changes nothing else', async () => {
    const key = await fixture.planned(Date.now() - 5 * SECOND);
    const lost = await fixture.claimOne();
    await takeOver();
    const before = await fixture.rows.find(key);
    const attempt = attemptOf(lost, failed(), { status: 400 });
    expect(await fixture.ledger.record([attempt])).toEqual({ locked: [], lost: [attempt] });
    expect(await fixture.rows.find(key)).toEqual({
      ...before,
      attempts: 1,
      firstAttemptAt: attempt.startedAt,
    });
    expect(await fixture.attemptsOf(key)).toMatchObject([
      { number: 1, leaseToken: 1, status: 400 },
    ]);
  });

  test('does not start the give-up clock of an instant that it was not made for', async () => {
    const key = await fixture.planned(Date.now() - 5 * SECOND);
    const lost = await fixture.claimOne();
    await fixture.rows.sql(
      `update events.occurrences set state = 'PENDING', lease_until = null,
         due_at = due_at + interval '1 hour', next_attempt_at = due_at + interval '1 hour'
       where key = ?`,
      [key],
    );
    await fixture.ledger.record([attemptOf(lost, retry(Date.now() + MINUTE))]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'PENDING',
      attempts: 1,
      earlierAttempts: 1,
      firstAttemptAt: null,
    });
  });

  test('turns a SKIPPED row to FAILED, for the same reason: it was attempted after all', async () => {
    const key = await fixture.planned(Date.now() - 5 * SECOND);
    const lost = await fixture.claimOne();
    await fixture.rows.sql(
      `update events.occurrences set state = 'SKIPPED', reason = 'user_deleted', lease_until = null,
         next_attempt_at = null, settled_at = now() where key = ?`,
      [key],
    );
    const attempt = attemptOf(lost, retry(Date.now() + MINUTE));
    expect(await fixture.ledger.record([attempt])).toEqual({ locked: [], lost: [attempt] });
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'FAILED',
      reason: 'user_deleted',
      attempts: 1,
    });
  });

  test('counts beside the one under the next lease, which is written after it', async () => {
    const key = await fixture.planned(Date.now() - 5 * SECOND);
    const lost = await fixture.claimOne();
    const held = await takeOver();
    const both = [attemptOf(lost, failed()), attemptOf(held, retry(Date.now() + HOUR))];
    const recorded = await fixture.ledger.record(both);
    expect(recorded).toEqual({ lost: [both[0]], locked: [both[1]] });
    expect(await fixture.ledger.record(recorded.locked)).toEqual(DONE);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'PENDING', attempts: 2 });
    expect(await fixture.attemptsOf(key)).toMatchObject([
      { number: 1, leaseToken: 1 },
      { number: 2, leaseToken: 2 },
    ]);
  });

  test('is lost with its row', async () => {
    const key = await fixture.planned(Date.now() - 5 * SECOND);
    const attempt = attemptOf(await fixture.claimOne(), delivered());
    await fixture.rows.sql('delete from events.occurrences where key = ?', [key]);
    expect(await fixture.ledger.record([attempt])).toEqual({ locked: [], lost: [attempt] });
  });
});

describe('a delivery', () => {
  test('counts, even if its lease was lost', async () => {
    const key = await fixture.planned(Date.now() - 5 * SECOND);
    const lost = await fixture.claimOne();
    const held = await takeOver();
    await fixture.ledger.record([attemptOf(lost, delivered())]);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'COMPLETED', leaseUntil: null });

    const late = attemptOf(held, retry(Date.now()));
    expect(await fixture.ledger.record([late])).toEqual({ locked: [], lost: [late] });
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'COMPLETED',
      nextAttemptAt: null,
      attempts: 2,
    });
  });

  test('that is made twice keeps the first, and both attempts', async () => {
    const key = await fixture.planned(Date.now() - 5 * SECOND);
    const lost = await fixture.claimOne();
    const held = await takeOver();
    const at = Date.now();
    expect(await fixture.ledger.record([attemptOf(lost, delivered(at))])).toEqual(DONE);
    expect(await fixture.ledger.record([attemptOf(held, delivered(at + MINUTE))])).toEqual(DONE);
    expect(await fixture.rows.find(key)).toMatchObject({ deliveredAt: at, attempts: 2 });
    expect(await fixture.attemptsOf(key)).toHaveLength(2);
  });

  test.each([
    ['PENDING', ''],
    ['FAILED', `, reason = 'gave_up', settled_at = now(), attempts = 1`],
    ['SKIPPED', `, reason = 'too_late', settled_at = now(), followed = true`],
  ])('that arrived after the row was made %s completes it', async (state, more) => {
    const key = await fixture.planned(Date.now() - 5 * SECOND);
    const claimed = await fixture.claimOne();
    await fixture.rows.sql(
      `update events.occurrences set state = ?, next_attempt_at = null, lease_until = null${more}
       where key = ?`,
      [state, key],
    );
    await fixture.ledger.record([attemptOf(claimed, delivered())]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'COMPLETED',
      reason: null,
      followed: false,
    });
  });

  test('of a row that has lost its instant uses the one that it was sent for', async () => {
    const key = await fixture.planned(Date.now() - 5 * SECOND);
    const claimed = await fixture.claimOne();
    await fixture.rows.sql(
      `update events.occurrences set state = 'PENDING', next_attempt_at = null, lease_until = null,
         due_at = null, local_date = null, blocked_reason = 'unknown zone' where key = ?`,
      [key],
    );
    await fixture.ledger.record([attemptOf(claimed, delivered())]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'COMPLETED',
      blockedReason: null,
      dueAt: claimed.dueAt,
      localDate: claimed.localDate,
    });
  });
});

describe('releasing', () => {
  test('lets a row wait for its plan, without an attempt', async () => {
    const key = await fixture.planned(Date.now() - SECOND);
    expect(await fixture.ledger.release([await fixture.claimOne()])).toEqual([]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'PENDING',
      attempts: 0,
      firstAttemptAt: null,
      nextAttemptAt: null,
      leaseUntil: null,
    });
    expect(await fixture.claimed()).toEqual([]);
    expect(await fixture.ledger.nextDueInMs(Date.now())).toBeNull();
  });

  test.each(['user_deleted', 'occasion_deleted', 'suspended', 'too_late', 'superseded'] as const)(
    'a row that must not be sent (%s) makes it SKIPPED with the reason',
    async (reason: EndReason) => {
      const key = await fixture.planned(Date.now() - SECOND);
      await fixture.ledger.end([{ ...(await fixture.claimOne()), reason }]);
      const row = await fixture.rows.find(key);
      expect(row).toMatchObject({ state: 'SKIPPED', reason, attempts: 0, nextAttemptAt: null });
      expect(row.settledAt).not.toBeNull();
    },
  );

  test('it makes it FAILED if it was attempted before', async () => {
    const key = await fixture.planned(Date.now() - SECOND);
    await fixture.ledger.record([attemptOf(await fixture.claimOne(), retry(Date.now() + SECOND))]);
    await fixture.setClocks(MINUTE);
    await fixture.ledger.end([{ ...(await fixture.claimOne()), reason: 'superseded' }]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'FAILED',
      reason: 'superseded',
      attempts: 1,
    });
  });

  test('a row that was not sent returns it to the queue: due at once, in its old place', async () => {
    const dueAt = Date.now() - SECOND;
    const key = await fixture.planned(dueAt);
    await fixture.ledger.returnToQueue([await fixture.claimOne()]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'PENDING',
      attempts: 0,
      nextAttemptAt: dueAt,
    });
    expect(await fixture.claimOne()).toMatchObject({ key, attempt: 1, leaseToken: 2 });
  });

  test('a retry that was not sent makes it due at once, behind those that have waited', async () => {
    const key = await fixture.planned(Date.now() - SECOND);
    await fixture.ledger.record([attemptOf(await fixture.claimOne(), retry(Date.now() + SECOND))]);
    await fixture.setClocks(MINUTE);
    await fixture.ledger.returnToQueue([await fixture.claimOne()]);
    const { nextAttemptAt } = await fixture.rows.find(key);
    expect(nextAttemptAt).toBeGreaterThan(Date.now() + MINUTE - 30 * SECOND);
    expect(await fixture.claimOne()).toMatchObject({ key, attempt: 2 });
  });

  test('a row does not make it due before its instant, even if the clock has been set back', async () => {
    const dueAt = Date.now() - SECOND;
    const key = await fixture.planned(dueAt);
    const claimed = await fixture.claimOne();
    await fixture.setClocks(-MINUTE);
    await fixture.ledger.returnToQueue([claimed]);
    expect(await fixture.claimed()).toEqual([]);
    expect(await fixture.rows.find(key)).toMatchObject({ nextAttemptAt: dueAt });
  });

  test("happens only under the row's current lease", async () => {
    const key = await fixture.planned(Date.now() - SECOND);
    const { leaseToken } = await fixture.claimOne();
    const before = await fixture.rows.find(key);
    await fixture.ledger.returnToQueue([{ key, leaseToken: leaseToken + 1 }]);
    await fixture.ledger.release([{ key, leaseToken: leaseToken - 1 }]);
    await fixture.ledger.end([{ key, leaseToken: leaseToken - 1, reason: 'too_late' }]);
    expect(await fixture.rows.find(key)).toEqual(before);
  });
});

describe('a row that another transaction has locked', () => {
  test('is left to be recorded later, and delays no other', async () => {
    const locked = await fixture.planned(Date.now() - 5 * SECOND);
    const free = await fixture.planned(Date.now() - SECOND);
    const attempts = (await fixture.claimed()).map((claimed) => attemptOf(claimed, delivered()));
    await fixture.whileLocked(locked, async () => {
      const recorded = await fixture.ledger.record(attempts);
      expect(recorded.locked.map(({ key }) => key)).toEqual([locked]);
      expect(recorded.lost).toEqual([]);
      expect(await fixture.rows.find(free)).toMatchObject({ state: 'COMPLETED' });
    });
    expect(await fixture.rows.find(locked)).toMatchObject({ state: 'PROCESSING' });
    // The other one a second time, as when the response to the first was lost.
    expect(await fixture.ledger.record(attempts)).toEqual(DONE);
    expect(await fixture.rows.find(locked)).toMatchObject({ state: 'COMPLETED' });
    expect(await fixture.attemptsOf(locked)).toHaveLength(1);
  });

  test('is left to be released later', async () => {
    const locked = await fixture.planned(Date.now() - 5 * SECOND);
    const free = await fixture.planned(Date.now() - SECOND);
    const leases = await fixture.claimed();
    await fixture.whileLocked(locked, async () => {
      expect(await fixture.ledger.release(leases)).toMatchObject([{ key: locked }]);
      expect(await fixture.ledger.returnToQueue(leases)).toMatchObject([{ key: locked }]);
      const ended = leases.map((lease) => ({ ...lease, reason: 'too_late' as const }));
      expect(await fixture.ledger.end(ended)).toMatchObject([{ key: locked }]);
    });
    expect(await fixture.rows.find(free)).toMatchObject({ state: 'PENDING' });
    expect(await fixture.ledger.returnToQueue(leases)).toEqual([]);
    expect(await fixture.rows.find(locked)).toMatchObject({ state: 'PENDING' });
  });

  test('causes no deadlock between two that record the same rows in opposite order', async () => {
    const keys = await fixture.rows.addHerd(400, Date.now() - SECOND);
    const attempts = (await fixture.claimed(400)).map((claimed) => attemptOf(claimed, delivered()));
    const record = async (given: typeof attempts): Promise<void> => {
      let left: readonly (typeof attempts)[number][] = given;
      while (left.length > 0) left = (await fixture.ledger.record(left)).locked;
    };
    await Promise.all(
      [attempts, attempts.toReversed(), attempts, attempts.toReversed()].map(record),
    );
    const completed = `select 1 from events.occurrences where state = 'COMPLETED' and attempts = 1`;
    expect(await fixture.rows.sql(completed)).toHaveLength(keys.length);
  });
});
