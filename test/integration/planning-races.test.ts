import { describe, expect, test } from 'vitest';

import type { PlanResult } from '../../src/domain/plan-messages.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { connectOrm } from '../../src/persistence/orm.ts';
import { BERLIN_2026, HOUR, keyOf, usePlanningBench } from '../support/planning-bench.ts';

const bench = usePlanningBench();

describe('an armed row', () => {
  test('is taken back by a change, and its open activity is told', async () => {
    const userId = await bench.rows.addUser();
    await bench.plan(userId);
    await bench.arm(userId);
    await bench.move(userId, 'America/New_York');
    await bench.plan(userId);
    expect(await bench.rows.find(keyOf(userId))).toMatchObject({
      state: 'PENDING',
      nextAttemptAt: null,
      report: 'released',
      token: 'a1',
    });
    expect(await bench.claimAtNine()).toEqual([]);
  });

  test('stays as it is while it is on the wire: nothing is written', async () => {
    const userId = await bench.rows.addUser();
    await bench.plan(userId);
    await bench.arm(userId);
    expect(await bench.claimAtNine()).toHaveLength(1);
    const before = await bench.rows.find(keyOf(userId));
    await bench.move(userId, 'America/New_York');
    const sending = { kind: 'sending', occurrenceKey: keyOf(userId) };
    expect(await bench.plan(userId)).toEqual(sending);
    await bench.rows.sql('delete from users.users where id = ?', [userId]);
    expect(await bench.plan(userId)).toEqual(sending);
    expect(await bench.rows.find(keyOf(userId))).toEqual(before);
  });

  test('is not on the wire any more when its sender died', async () => {
    const userId = await bench.rows.addUser();
    await bench.plan(userId);
    await bench.arm(userId);
    await bench.claimAtNine();
    await bench.rows.shiftClock(BERLIN_2026 + 30_000 - Date.now());
    expect(await bench.plan(userId, BERLIN_2026 + 30_000)).toMatchObject({ fireAt: BERLIN_2026 });
    expect(await bench.rows.find(keyOf(userId))).toMatchObject({ state: 'PENDING', attempts: 1 });
  });

  test('that was tried is not removed by a corrected date: it says why it was left', async () => {
    const userId = await bench.rows.addUser();
    await bench.plan(userId);
    await bench.arm(userId);
    await bench.claimAtNine();
    await bench.rows.shiftClock(BERLIN_2026 + 30_000 - Date.now());
    await bench.correct(userId, '1990-03-01', BERLIN_2026 + 20_000);
    await bench.plan(userId, BERLIN_2026 + 30_000);
    expect(await bench.occurrencesOf(userId)).toMatchObject([
      { year: 2026, state: 'SKIPPED', reason: 'date_changed', attempts: 1 },
      { year: 2027, state: 'PENDING', anchorDate: '1990-03-01' },
    ]);
  });
});

describe('an open activity whose row waits with it no more', () => {
  test('is let go when the row is removed', async () => {
    const userId = await bench.rows.addUser();
    await bench.plan(userId);
    await bench.arm(userId, 'beef');
    await bench.correct(userId, '1990-03-01');
    await bench.plan(userId);
    expect(await bench.occurrencesOf(userId)).toMatchObject([{ year: 2027, state: 'PENDING' }]);
    expect(await staleTokens()).toEqual([{ key: keyOf(userId), token: 'beef' }]);
  });

  test('is none when nobody had armed the row', async () => {
    await bench.rows.sql('truncate events.stale_tokens');
    const userId = await bench.rows.addUser();
    await bench.plan(userId);
    await bench.correct(userId, '1990-03-01');
    await bench.plan(userId);
    expect(await staleTokens()).toEqual([]);
  });
});

describe('races', () => {
  test('a plan waits for a change of the user that is being written', async () => {
    const userId = await bench.rows.addUser();
    const planned = await bench.database.orm.em.fork().transactional(async (em) => {
      await em.execute(`update users.users set timezone = 'America/New_York' where id = ?`, [
        userId,
      ]);
      const waiting = bench.plan(userId);
      await expect
        .poll(() =>
          bench.rows.sql(
            `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%users.users%' and datname = current_database()`,
          ),
        )
        .toHaveLength(1);
      return { waiting };
    });
    expect(await planned.waiting).toMatchObject({ fireAt: Date.UTC(2026, 4, 20, 13) });
  });

  test('plans of one user at once make one row', async () => {
    const userId = await bench.rows.addUser();
    const results = await Promise.all(Array.from({ length: 8 }, () => bench.plan(userId)));
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(await bench.occurrencesOf(userId)).toHaveLength(1);
  });

  test('between a plan and a claim, exactly one wins', async () => {
    await bench.rows.sql('truncate events.occurrences cascade');
    const users = await Promise.all(Array.from({ length: 60 }, () => bench.rows.addUser()));
    for (const userId of users) {
      await bench.plan(userId);
      await bench.arm(userId);
      await bench.move(userId, 'America/New_York', BERLIN_2026 - HOUR);
    }
    await bench.rows.shiftClock(BERLIN_2026 + 1000 - Date.now());
    // Connections of its own, as another process has: it does not queue behind the plans.
    const orm = await connectOrm(bench.database.url);
    const dispatchers = createDeliveryLedger(orm, { lateAfterMs: 5 * 60_000 });
    const request = { limit: 1, now: BERLIN_2026 + 1000, holdMs: 25_000 };
    const claimed = new Set<string>();
    const claimAll = async (): Promise<void> => {
      for (;;) {
        const [row] = await dispatchers.claim(request);
        if (row === undefined) return;
        claimed.add(row.userId);
      }
    };
    const plans = new Map<string, PlanResult>();
    const planAll = async (userIds: readonly string[]): Promise<void> => {
      for (const userId of userIds) plans.set(userId, await bench.plan(userId, BERLIN_2026));
    };
    await Promise.all([claimAll(), claimAll(), planAll(users), planAll(users.toReversed())]);
    for (const [userId, result] of plans) {
      const { state } = await bench.rows.find(keyOf(userId));
      expect([result.kind, state]).toEqual(
        claimed.has(userId) ? ['sending', 'PROCESSING'] : ['planned', 'PENDING'],
      );
    }
    expect(claimed.size).toBeGreaterThan(0);
    expect(claimed.size).toBeLessThan(users.length);
    await orm.close(true);
  });
});

function staleTokens(): Promise<object[]> {
  return bench.rows.sql(
    `select occurrence_key as key, encode(task_token, 'hex') as token from events.stale_tokens`,
  );
}
