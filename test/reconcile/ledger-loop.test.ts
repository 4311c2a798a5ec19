// @module-tag long
/** When the scheduler checks the ledger by itself, and what it finds about one of many users. */
import { expect, onTestFinished, test } from 'vitest';

import { createMetrics } from '../../src/platform/metrics.ts';
import { createLedgerReconciler } from '../../src/reconcile/ledger.ts';
import { createLedgerLooks } from '../../src/reconcile/ledger-looks.ts';
import { createReconcileState, findState, mustRest } from '../../src/reconcile/state.ts';
import {
  brief,
  DAY,
  HOUR,
  type LoggedLine,
  loggerTo,
  MINUTE,
  NOTHING,
  NOW,
  useReconcileFixture,
} from './reconcile-fixture.ts';
import { valueOf } from '../support/metrics.ts';

const fixture = useReconcileFixture();
const { planning } = fixture;
const WITHIN = { timeout: 20_000, interval: 20 };

/** Its counters, by a metric's name without the `daybell_`. */
function counted() {
  const registry = createMetrics();
  return {
    registry,
    value: async (name: string, labels: Record<string, string>) =>
      valueOf(await registry.metrics(), `daybell_${name}`, labels),
  };
}

function start(everyMs: number) {
  const { registry, value } = counted();
  const lines: LoggedLine[] = [];
  const reconciler = createLedgerReconciler({
    orm: fixture.orm,
    planner: planning.planner,
    logger: loggerTo(lines),
    registry,
    everyMs,
    secondLookMs: 1,
  });
  onTestFinished(() => reconciler.stop());
  reconciler.start();
  return { value, rounds: () => lines.filter(({ level }) => level === 'info').length };
}

const lookedAgo = (ms: number) =>
  fixture.sql(
    `update events.reconciler
     set ledger_looked_at = events.clock() - :ms::float8 * interval '1 millisecond'`,
    { ms },
  );
const busyAgo = (ms: number) =>
  fixture.sql(
    `insert into events.dispatchers (id, stamped_at, busy_at)
     values (gen_random_uuid(), events.clock(),
       events.clock() - :ms::float8 * interval '1 millisecond')`,
    { ms },
  );

const rests = async () => {
  const state = await findState(fixture.orm);
  return mustRest(state, state.ledgerAgeMs, 10 * MINUTE);
};

test('a new scheduler checks at once, and plans what was missed', async () => {
  const userId = await fixture.addUnplanned();
  const { rounds, value } = start(10 * MINUTE);
  await expect.poll(rounds, WITHIN).toBe(1);
  expect(await fixture.stateOf(userId)).toEqual(['PENDING']);
  expect(await value('missed_detected_total', { kind: 'unplanned' })).toBe(1);
  expect(await value('reconcile_steps_total', { result: 'succeeded' })).toBeGreaterThan(0);
  expect(await value('reconcile_steps_total', { result: 'failed' })).toBe(0);
});

test('what another scheduler has checked a minute ago is not checked before its time', async () => {
  await lookedAgo(10 * MINUTE - 500);
  const { rounds } = start(10 * MINUTE);
  expect(rounds()).toBe(0);
  // The clock of the database stands still: it is the process that waits half a second.
  await lookedAgo(11 * MINUTE);
  await expect.poll(rounds, WITHIN).toBe(1);
});

test('it is postponed while a herd is sent, for half an hour at most', async () => {
  await busyAgo(MINUTE);
  await lookedAgo(12 * MINUTE);
  expect(await rests()).toBe(false);
  await busyAgo(5_000);
  expect(await rests()).toBe(true);
  await lookedAgo(41 * MINUTE);
  expect(await rests()).toBe(false);
});

test('while the database is down it keeps trying, and logs that', async () => {
  const lines: LoggedLine[] = [];
  const { registry, value } = counted();
  const reconciler = createLedgerReconciler({
    orm: fixture.orm,
    registry,
    planner: { plan: () => Promise.reject(new Error('the database is away')) },
    logger: loggerTo(lines),
    everyMs: 10 * MINUTE,
    secondLookMs: 1,
  });
  await fixture.addUnplanned();
  reconciler.start();
  await expect.poll(() => lines.map(({ level }) => level), WITHIN).toEqual(['warn']);
  await reconciler.stop();
  expect(await value('reconcile_steps_total', { result: 'failed' })).toBeGreaterThan(0);
});

test('a fault that exists only for a moment is gone in the second check', async () => {
  const looks = createLedgerLooks(fixture.orm, 10);
  const [planned, missed] = [await fixture.addUnplanned(), await fixture.addUnplanned()];
  const suspects = [];
  for await (const page of looks.suspects()) suspects.push(...page);
  expect(suspects).toHaveLength(2);
  await planning.plan(planned);
  expect(await looks.again(suspects)).toMatchObject([{ kind: 'unplanned', id: missed }]);
});

test('the state has when both halves last checked, and what is not repaired', async () => {
  const state = createReconcileState(fixture.orm);
  expect(await state.lastSucceededAt()).toBeNull();
  await fixture.run();
  expect(await state.lastSucceededAt()).toBeNull();
  await fixture.sql(
    `update events.reconciler set workflows_looked_at = events.clock() - interval '1 minute',
       compared_at = events.clock() - interval '1 hour'`,
  );
  expect(await state.lastSucceededAt()).toBe(NOW - MINUTE);
  await fixture.sql(
    `update events.reconciler set compared_at = events.clock() - interval '26 hours'`,
  );
  expect(await state.lastSucceededAt()).toBe(NOW - 2 * HOUR);

  expect(await state.unrepaired()).toBe(0);
  await fixture.addPlanned();
  await fixture.sql(`update events.occasions set last_settled_key = 'birthday:x:2031',
    last_settled_nominal = '2031-03-15'`);
  await fixture.run();
  expect(await state.unrepaired()).toBe(1);
});

test(
  'of 10,000 users as a year leaves them, a single missed one is found',
  { timeout: 120_000 },
  async () => {
    // A hundred lives, each a hundred times.
    for (let nth = 0; nth < 100; nth++) {
      const day = new Date(Date.UTC(1990, 0, 2) + nth * 3.6 * DAY).toISOString().slice(0, 10);
      await planning.rows.addUser({ dateOfBirth: day, createdAt: NOW - 400 * DAY });
    }
    const ids = await fixture.sql<{ id: string }>('select id from users.users');
    await planning.setClock(NOW - 300 * DAY);
    await planning.planner.plan(ids.map(({ id }) => ({ type: 'birthday', id })));
    // Users who have been due since were greeted a little late, some of them with a retry.
    for (let at = NOW - 299 * DAY; at < NOW; at += DAY) {
      await planning.setClock(at);
      await planning.send('delivered');
      const settled = await fixture.sql<{ id: string }>(
        `select occasion_id as id from events.occurrences where not followed and state = 'COMPLETED'`,
      );
      if (settled.length > 0) {
        await planning.planner.plan(settled.map(({ id }) => ({ type: 'birthday', id })));
      }
    }
    await planning.setClock(NOW);
    await multiply(99);
    expect(await fixture.sql('select count(*)::int as users from users.users')).toEqual([
      { users: 10_000 },
    ]);

    const reconciler = createLedgerReconciler({
      orm: fixture.orm,
      planner: planning.planner,
      logger: loggerTo([]),
      registry: createMetrics(),
      everyMs: 10 * MINUTE,
      secondLookMs: 1,
    });
    expect(brief(await reconciler.run())).toEqual(NOTHING);

    await fixture.sql(
      `delete from events.occurrences where key = (
       select max(key) from events.occurrences where state = 'PENDING')`,
    );
    expect(brief(await reconciler.run())).toEqual({
      detected: { unplanned: 1 },
      repaired: { unplanned: 1 },
      unrepaired: {},
    });
  },
);

/** Copies all users with everything about them, this many times, under new ids. */
async function multiply(times: number): Promise<void> {
  await fixture.sql(`
    create table twins as
      select id as old, gen_random_uuid() as new from users.users, generate_series(1, ${times})`);
  const copies = {
    'users.users': {
      id: 't.new',
      external_id: 'null',
      position: 'pg_current_xact_id()',
    },
    'events.occasions': {
      id: 't.new',
      user_id: 't.new',
      last_settled_key: `replace(r.last_settled_key, t.old::text, t.new::text)`,
    },
    'events.occurrences': {
      key: `replace(r.key, t.old::text, t.new::text)`,
      occasion_id: 't.new',
      user_id: 't.new',
    },
    'events.attempts': {
      occurrence_key: `replace(r.occurrence_key, t.old::text, t.new::text)`,
    },
  };
  const idOf: Record<string, string> = {
    'users.users': 'r.id',
    'events.occasions': 'r.id',
    'events.occurrences': 'r.occasion_id',
    'events.attempts': `split_part(r.occurrence_key, ':', 2)::uuid`,
  };
  for (const [table, changed] of Object.entries(copies)) {
    const columns = await fixture.sql<{ name: string }>(
      `select attname as name from pg_attribute
       where attrelid = '${table}'::regclass and attnum > 0 and not attisdropped`,
    );
    const names = columns.map(({ name }) => name);
    const values = names.map((name) => (changed as Record<string, string>)[name] ?? `r.${name}`);
    await fixture.sql(
      `insert into ${table} (${names.join(', ')}) select ${values.join(', ')}
       from ${table} as r join twins as t on t.old = ${idOf[table]}`,
    );
  }
  await fixture.sql('drop table twins');
  await fixture.sql('analyze');
}
