// @module-tag long
/**
 * What is done all the time takes a batch out of a large ledger by an index, before and after the
 * database has taken its statistics: how long it takes must not grow with how many users there are.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { claimSql, type Candidates } from '../../src/ledger/claim.ts';
import { createDeliveryControl } from '../../src/ledger/delivery-control.ts';
import { createLedgerState } from '../../src/ledger/ledger-state.ts';
import { createLedger } from '../../src/ledger/ledger.ts';
import { createPeaks } from '../../src/ledger/peaks.ts';
import {
  changeOpenRows,
  markFollowed,
  settleAllOf,
  TO_PLAN,
  upsertPlanned,
} from '../../src/ledger/plan-rows.ts';
import { createFailures } from '../../src/ledger/failures.ts';
import { createRedelivery } from '../../src/ledger/redelivery.ts';
import type { ClaimedOccurrence, NextStep } from '../../src/ledger/types.ts';
import type { Orm } from '../../src/platform/database/orm.ts';
import { createLedgerLooks } from '../../src/reconcile/ledger-looks.ts';
import { createEventRows } from '../support/event-rows.ts';
import { explainGeneric, rowsReadOf } from '../support/explain.ts';
import { attemptOf, LATE_AFTER_MS, LEASE_MS } from './ledger-fixture.ts';
import { born } from './ledger-plans.ts';
import { type TestDatabase, useFilledDatabase } from '../support/postgres.ts';
import { ANY } from './redelivery-fixture.ts';

const PLANNED = 100_000;
const DUE = 2_000;
const BATCH = 100;
const DAY = 86_400_000;
const LIMITS = { lateAfterMs: 300_000, lateLimitMs: DAY };

const SHAPES: readonly (readonly [string, Candidates])[] = [
  ['a claim', { kind: 'due', lateLimit: BATCH }],
  ['a claim by keys', { kind: 'keys', keys: [] }],
];

const CLAIM_INDEXES = ['occurrences_claimable', 'occurrences_claimable', 'occurrences_claimable'];
const BY_KEY_INDEXES = ['occurrences_pkey'];

/** For the days to come. */
const planned = useFilledDatabase(async ({ em }) => {
  await em.fork().execute(
    `insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date,
       state, recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at, local_date,
       due_at, next_attempt_at, planned_at)
     select 'birthday:' || id || ':2026', 'birthday', id, id, '2026-05-20', 'PENDING',
       'birthday', '1990-05-20', 'Europe/Berlin', '09:00', 'feb28', '2026c', now(), '2026-05-20', due_at,
       due_at, now()
     from (select gen_random_uuid() as id, now() + interval '1 hour' + n % 365 * interval '1 day'
             as due_at from generate_series(1, ${PLANNED}) as n) as users`,
  );
});

describe.each(['fresh', 'not taken yet'] as const)('with statistics %s', (statistics) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await planned.clone();
    const { addHerd, sql } = createEventRows(database.orm);
    await addHerd(DUE, Date.now() - 1_000);
    if (statistics === 'fresh') await sql('analyze');
  });
  afterAll(() => database.drop());

  test.each(SHAPES)(
    '%s has the same plan, by index, as a statement that is prepared once',
    async (_name, candidates) => {
      const keys = await createEventRows(database.orm).sql<{ key: string }>(
        `select key from events.occurrences where next_attempt_at <= now() limit ${BATCH}`,
      );
      const parameters = {
        destination: 'default',
        now: Date.now(),
        leaseMs: LEASE_MS,
        lateAfterMs: LATE_AFTER_MS,
        takesExpiredUntil: 0,
        ...(candidates.kind === 'keys' && { keys: JSON.stringify(keys.map(({ key }) => key)) }),
      };
      for (const spends of [true, false]) {
        const sql = claimSql({ candidates, limit: BATCH, spends });
        const plan = await explainGeneric(database.orm, sql, parameters);
        const expected = candidates.kind === 'due' ? CLAIM_INDEXES : BY_KEY_INDEXES;
        const indexes = plan.indexes.filter((name) => name.startsWith('occurrences'));
        expect(indexes.toSorted()).toEqual(expected);
        // In the order of the index, up to the limit: nothing is sorted.
        // What was locked is not looked up again.
        expect(plan.scans).toContain('Tid Scan');
        const inOrder = plan.scansBy('occurrences_claimable');
        expect(inOrder).toEqual(inOrder.map(() => 'Index Scan'));
        expect(plan.readRows).toBeLessThanOrEqual(2 * BATCH);
      }
    },
  );

  test('a claim that is filled by punctual rows reads none of the late ones', async () => {
    const sql = claimSql({
      candidates: { kind: 'due', lateLimit: BATCH },
      limit: BATCH,
      spends: false,
    });
    const parameters = {
      destination: 'default',
      now: Date.now(),
      leaseMs: LEASE_MS,
      lateAfterMs: LATE_AFTER_MS,
      takesExpiredUntil: 0,
    };
    const { loops } = await explainGeneric(database.orm, sql, parameters);
    expect(loops('CTE punctual')).toBe(1);
    expect(loops('CTE late_first')).toBe(0);
    expect(loops('CTE late_again')).toBe(0);
  });

  test('a claim, and all possible outcomes of it, read no more than their rows', async () => {
    const read = await rowsReadOf('events.occurrences', database, async (orm) => {
      const ledger = createLedger(orm, { lateAfterMs: LATE_AFTER_MS });
      const terms = { now: Date.now(), leaseMs: LEASE_MS, takesExpired: true };
      const claim = async (): Promise<readonly ClaimedOccurrence[]> => {
        const { claimed } = await ledger.claim({ limit: BATCH, ...terms });
        expect(claimed).toHaveLength(BATCH);
        return claimed;
      };
      const now = Date.now();
      const steps: readonly NextStep[] = [
        { kind: 'delivered', at: now },
        { kind: 'retry', at: now + DAY, notBefore: null },
        { kind: 'failed', at: now, reason: 'refused' },
      ];
      for (const next of steps) {
        const attempts = (await claim()).map((one) => attemptOf(one, next));
        expect(await ledger.record(attempts)).toEqual({ locked: [], lost: [] });
      }
      expect(await ledger.release(await claim())).toEqual([]);
      const ended = (await claim()).map(({ key, leaseToken }) => ({
        key,
        leaseToken,
        reason: 'too_late' as const,
      }));
      expect(await ledger.end(ended)).toEqual([]);
      const claimed = await claim();
      expect(await ledger.returnToQueue(claimed)).toEqual([]);
      const keys = claimed.map(({ key }) => key);
      expect((await ledger.claimKeys(keys, terms)).claimed).toHaveLength(BATCH);
      expect(await ledger.nextDueInMs(Date.now())).toBe(0);
    });
    expect(read).toBeLessThan(PLANNED / 4);
  });

  test('the plans of a batch read no more than their rows', async () => {
    const open = await createEventRows(database.orm).sql<{ userId: string }>(
      `select user_id as "userId" from events.occurrences
       where due_at > now() + interval '1 minute' order by key limit ${BATCH}`,
    );
    const plans = open.map(({ userId }) => born(Date.now() + DAY, userId));
    const occasions = open.map(({ userId }) => ({ type: 'birthday', id: userId }));
    const read = await rowsReadOf('events.occurrences', database, (orm) =>
      orm.em.fork().transactional(async (em) => {
        await upsertPlanned(em, plans);
        await changeOpenRows(
          em,
          plans
            .slice(0, BATCH / 2)
            .map(({ key }) => ({ key, action: 'settle', reason: 'date_changed' })),
        );
        await settleAllOf(em, occasions, 'user_deleted');
        const found = await em.execute<object[]>(
          `select key from events.occurrences where ${TO_PLAN} limit ${BATCH}`,
        );
        expect(found).toHaveLength(BATCH);
        await markFollowed(em, occasions);
      }),
    );
    expect(read).toBeLessThan(PLANNED / 4);
  });

  test.each<readonly [string, (orm: Orm) => Promise<unknown>]>([
    ['the late backlog', (orm) => stateOf(orm).lateBacklog()],
    ['the counts', (orm) => stateOf(orm).counts()],
    ['the day', (orm) => stateOf(orm).today()],
    ['the last peak', (orm) => createPeaks(orm).last()],
    ['the next peak', (orm) => createPeaks(orm).next()],
    ['what waits', (orm) => createDeliveryControl(orm, LIMITS).countWaiting()],
    ["the reconciler's look at what is due", (orm) => createLedgerLooks(orm).suspects().next()],
  ])('%s: reads no more than what is due', async (_name, ask) => {
    const read = await rowsReadOf(
      'events.occurrences',
      database,
      async (orm) => void (await ask(orm)),
    );
    expect(read).toBeLessThan(PLANNED / 4);
  });

  test('a page of redeliveries, and the groups of what failed, read no more than their rows', async () => {
    await createEventRows(database.orm).sql(
      `update events.occurrences set state = 'FAILED', reason = 'gave_up', attempts = 1,
         settled_at = now(), next_attempt_at = null, lease_until = null
       where next_attempt_at <= now() and state = 'PENDING'`,
    );
    const read = await rowsReadOf('events.occurrences', database, async (orm) => {
      const window = { from: Date.now() - DAY, to: null };
      const groups = { ...window, occasionType: null, destination: null };
      expect((await createFailures(orm).group(groups)).occurrences).toBeGreaterThan(0);
      const settledBy = Date.now() + DAY;
      const page = await createRedelivery(orm).redeliverPage(ANY, settledBy, null, BATCH);
      expect(page).toHaveLength(BATCH);
    });
    expect(read).toBeLessThan(PLANNED / 4);
  });
});

const stateOf = (orm: Orm) => createLedgerState(orm, { lateAfterMs: LATE_AFTER_MS });
