// @module-tag long
import { describe, expect, onTestFinished, test } from 'vitest';

import { createLedger } from '../../src/ledger/ledger.ts';
import { connectOrm } from '../../src/platform/database/orm.ts';
import type { PlanOutcome } from '../../src/planning/write-plans.ts';
import {
  BERLIN_2026,
  birthdayOf,
  HOUR,
  keyOf,
  LEASE_MS,
  MINUTE,
  NEW_YORK_2026,
  usePlanningFixture,
} from '../support/planning-fixture.ts';

const fixture = usePlanningFixture();

describe('a row that is being sent', () => {
  test('stays as it is: nothing is written until its lease has ended', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.setClock(BERLIN_2026 + 1);
    expect(await fixture.claim()).toHaveLength(1);
    const before = [await fixture.rows.find(keyOf(userId)), await fixture.occasionOf(userId)];

    await fixture.change(userId, { timezone: 'America/New_York' });
    const deferred = { kind: 'deferred', until: BERLIN_2026 + 1 + LEASE_MS };
    expect(await fixture.plan(userId)).toMatchObject(deferred);
    await fixture.deleteUser(userId);
    expect(await fixture.plan(userId)).toMatchObject(deferred);
    expect([await fixture.rows.find(keyOf(userId)), await fixture.occasionOf(userId)]).toEqual(
      before,
    );
  });

  test('is planned again once its sender has died', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.setClock(BERLIN_2026 + 1);
    await fixture.claim();
    const later = BERLIN_2026 + MINUTE;
    expect(await fixture.plan(userId, later)).toMatchObject({ dueAt: BERLIN_2026 });
    expect(await fixture.claim()).toMatchObject([{ key: keyOf(userId), attempt: 1 }]);
  });

  test('that was attempted is not removed by a corrected date: it says why it ended', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.plan(userId);
    await fixture.setClock(BERLIN_2026 + 1);
    await fixture.send('retry');
    await fixture.change(userId, { dateOfBirth: '1990-03-01' }, BERLIN_2026 + 20_000);
    await fixture.plan(userId, BERLIN_2026 + 30_000);
    expect(await fixture.occurrencesOf(userId)).toMatchObject([
      { nominalDate: '2026-05-20', state: 'FAILED', reason: 'date_changed', attempts: 1 },
      { nominalDate: '2027-03-01', state: 'PENDING' },
    ]);
  });
});

describe('races', () => {
  test('a plan waits for a change of the user that is being written', async () => {
    const userId = await fixture.rows.addUser();
    const planned = await fixture.database.orm.em.fork().transactional(async (em) => {
      await em.execute(
        `update users.users set timezone = 'America/New_York', inputs_changed_at = users.clock()
         where id = ?`,
        [userId],
      );
      const waiting = fixture.plan(userId);
      await expect.poll(waitingForLocks).toBe(1);
      return { waiting };
    });
    expect(await planned.waiting).toMatchObject({ dueAt: NEW_YORK_2026 });
  });

  test('concurrent plans of one user make one row', async () => {
    const userId = await fixture.rows.addUser();
    const results = await Promise.all(Array.from({ length: 8 }, () => fixture.plan(userId)));
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(await fixture.occurrencesOf(userId)).toHaveLength(1);
  });

  test('planners that take the same users in different orders, while these change, all end', async () => {
    const users = await fixture.rows.addUsers(40);
    const refs = users.map(birthdayOf);
    const moveAll = async (timezone: string) => {
      for (const userId of users) await fixture.change(userId, { timezone });
    };
    const outcomes = await Promise.all([
      fixture.planner.plan(refs),
      fixture.planner.plan(refs.toReversed()),
      moveAll('Asia/Tokyo'),
      fixture.planner.plan(refs.toSorted(() => Math.random() - 0.5)),
    ]);
    const kinds = outcomes.flatMap((plans) => plans ?? []).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(['planned']));
    expect(await fixture.rows.sql('select count(*)::int from events.occurrences')).toEqual([
      { count: 40 },
    ]);
  });

  test('between a plan and a claim, exactly one wins', async () => {
    const users = await fixture.rows.addUsers(60);
    await fixture.planner.plan(users.map(birthdayOf));
    await fixture.setClock(BERLIN_2026 - HOUR);
    for (const userId of users) await fixture.change(userId, { timezone: 'America/New_York' });
    await fixture.setClock(BERLIN_2026 + 1_000);
    // With its own connections, like another process: it does not queue behind the plans.
    const orm = await connectOrm(fixture.database.url);
    onTestFinished(() => orm.close(true));
    const dispatcher = createLedger(orm, { lateAfterMs: 5 * MINUTE });
    const request = { limit: 1, now: BERLIN_2026 + 1_000, leaseMs: LEASE_MS, takesExpired: true };
    const claimed = new Set<string>();
    const claimAll = async (): Promise<void> => {
      for (;;) {
        const [row] = (await dispatcher.claim(request)).claimed;
        if (row === undefined) return;
        claimed.add(row.userId);
      }
    };
    const plans = new Map<string, PlanOutcome>();
    const planAll = async (userIds: readonly string[]): Promise<void> => {
      for (const userId of userIds) plans.set(userId, await fixture.plan(userId));
    };
    await Promise.all([claimAll(), claimAll(), planAll(users), planAll(users.toReversed())]);
    for (const [userId, result] of plans) {
      const { state } = await fixture.rows.find(keyOf(userId));
      expect([result.kind, state]).toEqual(
        claimed.has(userId) ? ['deferred', 'PROCESSING'] : ['planned', 'PENDING'],
      );
    }
    expect(plans.size).toBe(users.length);
  });
});

describe('in a batch', () => {
  test('one that cannot be planned delays no other', async () => {
    const users = await fixture.rows.addUsers(20);
    const [unlucky = ''] = users;
    await refusePlansOf(unlucky);
    const outcomes = await fixture.planner.plan(users.map(birthdayOf));
    const failed = outcomes.filter(({ kind }) => kind === 'failed');
    expect(failed).toMatchObject([{ id: unlucky }]);
    expect(outcomes.filter(({ kind }) => kind === 'planned')).toHaveLength(19);
  });

  test('one whose user stays locked delays the others for a few seconds only', async () => {
    const [locked = '', other = ''] = [await fixture.rows.addUser(), await fixture.rows.addUser()];
    await fixture.database.orm.em.fork().transactional(async (em) => {
      await em.execute('select 1 from users.users where id = ? for update', [locked]);
      expect(await fixture.planner.plan([locked, other].map(birthdayOf))).toMatchObject([
        { id: locked, kind: 'failed' },
        { id: other, kind: 'planned' },
      ]);
    });
  });

  test('each is planned once, however often and in however many batches it is requested', async () => {
    const users = await fixture.rows.addUsers(3);
    const refs = users.map(birthdayOf);
    const outcomes = await fixture.planner.plan([...refs, ...refs, ...refs]);
    expect(outcomes.map(({ id }) => id).toSorted()).toEqual(users.toSorted());
  });

  test('planning rejects, and writes nothing, if the database is down', async () => {
    const userId = await fixture.rows.addUser();
    const orm = await connectOrm('postgresql://127.0.0.1:1/nowhere');
    onTestFinished(() => orm.close(true));
    const away = fixture.plannerWith({ orm });
    await expect(away.plan([birthdayOf(userId)])).rejects.toThrow(/ECONNREFUSED/);
  });
});

/** As a row would be that breaks an invariant: whatever writes it fails. */
async function refusePlansOf(userId: string): Promise<void> {
  await fixture.rows.sql(`
    create function events.refuse() returns trigger language plpgsql as
      $$begin raise exception 'this one is not planned'; end$$;
    create trigger refuse before insert on events.occurrences
      for each row when (new.user_id = '${userId}') execute function events.refuse()`);
  onTestFinished(async () => {
    await fixture.rows.sql('drop function events.refuse() cascade');
  });
}

async function waitingForLocks(): Promise<number> {
  const rows = await fixture.rows.sql(
    `select from pg_stat_activity
     where wait_event_type = 'Lock' and datname = current_database()`,
  );
  return rows.length;
}
