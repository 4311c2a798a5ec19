import { describe, expect, test } from 'vitest';

import type { PlanResult } from '../../src/domain/plan-messages.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { connectOrm } from '../../src/persistence/orm.ts';
import { BERLIN_2026, HOUR, keyOf, usePlanningFixture } from '../support/planning-fixture.ts';

const fixture = usePlanningFixture();

describe('an armed row', () => {
  test('is taken back by a change, and its open activity is told', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.arm(userId);
    await fixture.move(userId, 'America/New_York');
    await fixture.plan(userId);
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({
      state: 'PENDING',
      nextAttemptAt: null,
      report: 'released',
      token: 'a1',
    });
    expect(await fixture.claimAtNine()).toEqual([]);
  });

  test('stays as it is while it is on the wire: nothing is written', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.arm(userId);
    expect(await fixture.claimAtNine()).toHaveLength(1);
    const before = await fixture.rows.find(keyOf(userId));
    await fixture.move(userId, 'America/New_York');
    const sending = { kind: 'sending', occurrenceKey: keyOf(userId) };
    expect(await fixture.plan(userId)).toEqual(sending);
    await fixture.rows.sql('delete from users.users where id = ?', [userId]);
    expect(await fixture.plan(userId)).toEqual(sending);
    expect(await fixture.rows.find(keyOf(userId))).toEqual(before);
  });

  test('is not on the wire any more when its sender died', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.arm(userId);
    await fixture.claimAtNine();
    await fixture.rows.shiftClock(BERLIN_2026 + 30_000 - Date.now());
    expect(await fixture.plan(userId, BERLIN_2026 + 30_000)).toMatchObject({ fireAt: BERLIN_2026 });
    expect(await fixture.rows.find(keyOf(userId))).toMatchObject({ state: 'PENDING', attempts: 1 });
  });

  test('that was tried is not removed by a corrected date: it says why it was left', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.arm(userId);
    await fixture.claimAtNine();
    await fixture.rows.shiftClock(BERLIN_2026 + 30_000 - Date.now());
    await fixture.correct(userId, '1990-03-01', BERLIN_2026 + 20_000);
    await fixture.plan(userId, BERLIN_2026 + 30_000);
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { year: 2026, state: 'SKIPPED', reason: 'date_changed', attempts: 1 },
      { year: 2027, state: 'PENDING', anchorDate: '1990-03-01' },
    ]);
  });
});

describe('an open activity whose row waits with it no more', () => {
  test('is let go when the row is removed', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.arm(userId, 'beef');
    await fixture.correct(userId, '1990-03-01');
    await fixture.plan(userId);
    expect(await fixture.occurrencesOf(userId)).toMatchObject([{ year: 2027, state: 'PENDING' }]);
    expect(await staleTokens()).toEqual([{ key: keyOf(userId), token: 'beef' }]);
  });

  test('is none when nobody had armed the row', async () => {
    await fixture.rows.sql('truncate events.stale_tokens');
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.correct(userId, '1990-03-01');
    await fixture.plan(userId);
    expect(await staleTokens()).toEqual([]);
  });
});

describe('races', () => {
  test('a plan waits for a change of the user that is being written', async () => {
    const userId = await fixture.rows.addUser();
    const planned = await fixture.database.orm.em.fork().transactional(async (em) => {
      await em.execute(`update users.users set timezone = 'America/New_York' where id = ?`, [
        userId,
      ]);
      const waiting = fixture.plan(userId);
      await expect
        .poll(() =>
          fixture.rows.sql(
            `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%users.users%' and datname = current_database()`,
          ),
        )
        .toHaveLength(1);
      return { waiting };
    });
    expect(await planned.waiting).toMatchObject({ fireAt: Date.UTC(2026, 4, 20, 13) });
  });

  test('plans of one user at once make one row', async () => {
    const userId = await fixture.rows.addUser();
    const results = await Promise.all(Array.from({ length: 8 }, () => fixture.plan(userId)));
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(await fixture.occurrencesOf(userId)).toHaveLength(1);
  });

  test('between a plan and a claim, exactly one wins', async () => {
    await fixture.rows.sql('truncate events.occurrences cascade');
    const users = await Promise.all(Array.from({ length: 60 }, () => fixture.rows.addUser()));
    for (const userId of users) {
      await fixture.plan(userId);
      await fixture.arm(userId);
      await fixture.move(userId, 'America/New_York', BERLIN_2026 - HOUR);
    }
    await fixture.rows.shiftClock(BERLIN_2026 + 1000 - Date.now());
    // Connections of its own, as another process has: it does not queue behind the plans.
    const orm = await connectOrm(fixture.database.url);
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
      for (const userId of userIds) plans.set(userId, await fixture.plan(userId, BERLIN_2026));
    };
    await Promise.all([claimAll(), claimAll(), planAll(users), planAll(users.toReversed())]);
    for (const [userId, result] of plans) {
      const { state } = await fixture.rows.find(keyOf(userId));
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
  return fixture.rows.sql(
    `select occurrence_key as key, encode(task_token, 'hex') as token from events.stale_tokens`,
  );
}
