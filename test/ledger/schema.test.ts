import { beforeAll, describe, expect, test } from 'vitest';

import { migrate } from '../../src/platform/database/run-migrations.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { plantSpecimens, type SpecimenName } from './ledger-specimens.ts';
import { useTestDatabase } from '../support/postgres.ts';
import { TRANSITIONS } from './transitions.ts';

const database = useTestDatabase();
let rows: EventRows;
beforeAll(async () => {
  rows = createEventRows(database.orm);
});

test('a migrated database has nothing left to migrate', async () => {
  expect(await migrate(database.orm)).toEqual([]);
});

test('no foreign key joins the two contexts', async () => {
  const joined = await rows.sql(`
    select conname from pg_constraint
    where contype = 'f'
      and (select relnamespace from pg_class where oid = conrelid)
        <> (select relnamespace from pg_class where oid = confrelid)`);
  expect(joined).toEqual([]);
});

test('no index has a column that a claim changes, so that PostgreSQL need not write into any', async () => {
  const changed = TRANSITIONS['claim']?.columns.filter((column) => column !== 'state') ?? [];
  expect(changed).toEqual(['lease_until', 'lease_token']);
  const indexes = await rows.sql<{ definition: string }>(
    `select indexdef as definition from pg_indexes where tablename = 'occurrences'`,
  );
  expect(indexes.length).toBeGreaterThan(5);
  const having = indexes.filter(({ definition }) =>
    changed.some((column) => definition.includes(column)),
  );
  expect(having).toEqual([]);
});

describe('a row that is edited by hand against an invariant is refused by the database:', () => {
  /** The edit, of a row that is as the name says, and the constraint that refuses it. */
  const EDITS: readonly (readonly [SpecimenName, string, string])[] = [
    ['due', `state = 'SENT'`, 'occurrences_state_check'],
    ['due', 'priority = 2', 'occurrences_priority_check'],
    ['due', `blocked_reason = 'no zone'`, 'blocked_has_no_instant'],
    ['blocked', 'blocked_reason = null', 'blocked_has_no_instant'],
    ['due', 'local_date = null', 'local_date_with_instant'],
    ['due', `state = 'PROCESSING'`, 'occurrences_state_check'],
    ['released', 'lease_until = now()', 'lease_of_waiting'],
    ['leased', 'next_attempt_at = null', 'lease_of_waiting'],
    ['refused', 'lease_until = now()', 'lease_of_waiting'],
    ['refused', 'next_attempt_at = now()', 'settled_waits_for_nothing'],
    ['delivered', 'settled_at = null', 'settled_says_when'],
    ['due', 'settled_at = now()', 'settled_says_when'],
    ['skipped', 'reason = null', 'reason_when_given_up'],
    ['refused', 'reason = null', 'reason_when_given_up'],
    ['due', `reason = 'refused'`, 'reason_when_given_up'],
    [
      'delivered',
      `due_at = null, local_date = null, blocked_reason = 'no zone'`,
      'blocked_is_pending',
    ],
    ['blocked', 'next_attempt_at = now()', 'blocked_is_never_due'],
    ['to come', 'next_attempt_at = now()', 'never_early'],
    ['delivered', 'delivered_at = null, lateness_ms = null', 'completed_was_delivered'],
    [
      'delivered',
      'attempts = 0, earlier_attempts = 0, first_attempt_at = null',
      'completed_was_delivered',
    ],
    ['skipped', 'attempts = 1', 'skipped_was_not_attempted'],
    ['retrying', 'earlier_attempts = attempts + 1', 'attempts_in_order'],
    ['retrying', 'earlier_attempts = -1', 'attempts_in_order'],
    ['retrying', 'earlier_attempts = attempts', 'first_attempt_is_counted'],
    ['delivered', 'lateness_ms = null', 'lateness_of_delivered'],
    ['due', 'redeliveries = 1', 'redelivered_at_once'],
    ['due', 'redelivered_at = now()', 'redelivered_at_once'],
  ];

  test.each(EDITS)('%s, set %s: %s', async (specimen, edit, constraint) => {
    const [planted] = await plantSpecimens(rows, [specimen]);
    const refusal = await rows
      .sql(`update events.occurrences set ${edit} where key = ?`, [planted?.key])
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ constraint });
  });

  test('all of its constraints are covered', async () => {
    const named = await rows.sql<{ name: string }>(
      `select conname as name from pg_constraint
       where conrelid = 'events.occurrences'::regclass and contype = 'c'`,
    );
    const tried = new Set(EDITS.map(([, , constraint]) => constraint));
    expect(named.map(({ name }) => name).toSorted()).toEqual([...tried].toSorted());
  });

  test('a second open row of an occasion', async () => {
    const [due] = await plantSpecimens(rows, ['due']);
    const second = rows.sql(
      `insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date,
         state, recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at, local_date,
         due_at, planned_at)
       select key || '-again', occasion_type, occasion_id, user_id, '2027-05-20', state,
         recurrence, date,
         timezone, local_time, leap_day_policy, tz_version, inputs_at, local_date, due_at, planned_at
       from events.occurrences where key = ?`,
      [due?.key],
    );
    await expect(second).rejects.toMatchObject({ constraint: 'occurrences_open' });
  });

  test('a second attempt under one lease', async () => {
    const [due] = await plantSpecimens(rows, ['due']);
    const attempt = (number: number) =>
      rows.sql(
        `insert into events.attempts (occurrence_key, number, lease_token, sent_by, started_at,
           duration_ms, outcome)
         values (?, ?, 7, 'workflow', now(), 1, 'delivered')`,
        [due?.key, number],
      );
    await attempt(1);
    await expect(attempt(2)).rejects.toMatchObject({
      constraint: 'attempts_occurrence_key_lease_token_key',
    });
  });
});
