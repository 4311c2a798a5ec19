/**
 * What planning changes in the ledger, inside the planner's transaction. Rows are written in the
 * order of their keys, so that two planners wait for each other without deadlock.
 */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { ended } from './outcomes.ts';
import { instant, interval, isFree, ms, queryIn } from './sql.ts';
import {
  EXPIRED_LEASE_GRACE_MS,
  type EndReason,
  type OccasionRef,
  type OpenRowChange,
  type PlannedRow,
  type SkippedRow,
} from './types.ts';

/**
 * Thrown when planning must not change a row: it is under a lease in force, finally settled, or
 * redelivered. The planner, which locks and checks the open rows first, never causes it.
 */
export class RowsNotPlannableError extends Error {
  override readonly name = 'RowsNotPlannableError';

  constructor(keys: readonly string[]) {
    super(`not to be planned as they are: ${keys.join(', ')}`);
  }
}

/**
 * The rows that make the scheduler plan, as a condition on events.occurrences: rows that were
 * settled since their occasion was last planned, and rows that wait for their plan. It must match
 * the partial index `occurrences_to_plan` word for word.
 */
export const TO_PLAN = `(state in ('COMPLETED', 'FAILED', 'SKIPPED') and not followed
    or state = 'PENDING' and next_attempt_at is null and blocked_reason is null)`;

/**
 * Settles open rows, or removes those that were never attempted and, as the planner knows, never
 * fell due.
 *
 * @throws RowsNotPlannableError
 */
export const changeOpenRows = (em: SqlEntityManager, changes: readonly OpenRowChange[]) =>
  write(em, CHANGE_OPEN, changes);

/**
 * Writes plans: new rows, and rows whose plan has changed. A row with the same due instant keeps
 * its next attempt; with another, it becomes due anew, but not before the time its receiver asked
 * for.
 *
 * @throws RowsNotPlannableError
 */
export const upsertPlanned = (em: SqlEntityManager, rows: readonly PlannedRow[]) =>
  write(em, UPSERT_PLANNED, rows);

/**
 * Writes occurrences that fell due but must not be attempted. Rows that are settled already stay.
 *
 * @throws RowsNotPlannableError
 */
export const upsertSkipped = (em: SqlEntityManager, rows: readonly SkippedRow[]) =>
  write(em, UPSERT_SKIPPED, rows);

/** Records that the successors of the settled rows of these occasions have been planned. */
export async function markFollowed(
  em: SqlEntityManager,
  occasions: readonly OccasionRef[],
): Promise<void> {
  if (occasions.length > 0) {
    await queryIn(em)(MARK_FOLLOWED, { occasions: JSON.stringify(occasions) });
  }
}

/**
 * Settles every open row of deleted occasions, redeliveries too. Returns the occasions that have a
 * row under a lease in force, to be settled once that has ended (`leaseUntil`, epoch ms).
 */
export async function settleAllOf(
  em: SqlEntityManager,
  occasions: readonly OccasionRef[],
  reason: EndReason,
) {
  if (occasions.length === 0) return [];
  const parameters = { occasions: JSON.stringify(occasions), reason };
  return queryIn(em)<OccasionRef & { readonly leaseUntil: number }>(SETTLE_ALL, parameters);
}

async function write(
  em: SqlEntityManager,
  sql: string,
  rows: readonly { readonly key: string }[],
): Promise<void> {
  if (rows.length === 0) return;
  const done = await queryIn(em)<{ key: string }>(sql, { rows: JSON.stringify(rows) });
  const keys = new Set(done.map(({ key }) => key));
  const left = rows.filter(({ key }) => !keys.has(key));
  if (left.length > 0) throw new RowsNotPlannableError(left.map(({ key }) => key));
}

const MOMENT = 'moment as materialized (select events.clock() as clock)';
const CLOCK = '(select clock from moment)';

/**
 * Seconds since 2026: a row that is removed and written again must not begin with lease tokens that
 * a process may still hold.
 */
const FIRST_TOKEN = `(extract(epoch from ${CLOCK}) - 1767225600)::int`;

/** Open, and under no lease in force. */
const IS_PLANNABLE = (row: string): string => `${row}.state = 'PENDING' and ${isFree(row, CLOCK)}`;

const CHANGE_OPEN = `
  with ${MOMENT}, given as materialized (
    select * from jsonb_to_recordset(:rows::jsonb) as (key text, action text, reason text)
  ), locked as materialized (
    select t.* from events.occurrences as t
    where t.key = any (array(select key from given))
    order by t.key
    for update
  ), mine as materialized (
    select locked.*, action, given.reason as because from locked join given using (key)
    where redeliveries = 0 and ${IS_PLANNABLE('locked')}
  ), settled as (
    update events.occurrences as t
    set state = ${ended('t')}, reason = because, settled_at = ${CLOCK},
      next_attempt_at = null, lease_until = null, followed = false
    from mine where t.key = mine.key and action = 'settle'
    returning t.key
  ), removed as (
    delete from events.occurrences as t
    where t.key = any (array(
      select key from mine where action = 'remove' and lease_until is null and attempts = 0))
    returning t.key
  )
  table settled union all table removed`;

const GIVEN_PLANS = `
    select * from jsonb_to_recordset(:rows::jsonb) as (
      key text, "occasionType" text, "occasionId" uuid, "userId" uuid, "nominalDate" text,
      recurrence text, rrule text, date date, "offsetDays" int, timezone text,
      "localTime" text, "leapDayPolicy" text, "tzVersion" text, "rulesId" bigint, "inputsAt" float8,
      "localDate" date, "dueAt" float8, "supersededAt" float8, "blockedReason" text,
      destination text, reason text)
    order by key`;

/** The columns of a plan: a birthday's nominal date too, as its key contains only the year. */
const PLAN = {
  nominal_date: '"nominalDate"',
  recurrence: 'recurrence',
  rrule: 'rrule',
  date: 'date',
  offset_days: '"offsetDays"',
  timezone: 'timezone',
  local_time: '"localTime"',
  leap_day_policy: '"leapDayPolicy"',
  tz_version: '"tzVersion"',
  rules_id: '"rulesId"',
  inputs_at: instant('"inputsAt"'),
  local_date: '"localDate"',
  due_at: instant('"dueAt"'),
  superseded_at: instant('"supersededAt"'),
  blocked_reason: '"blockedReason"',
  destination: 'destination',
  planned_at: CLOCK,
};
const COLUMNS = [
  'key, occasion_type, occasion_id, user_id, lease_token',
  ...Object.keys(PLAN),
].join(', ');
const VALUES = [
  `key, "occasionType", "occasionId", "userId", ${FIRST_TOKEN}`,
  ...Object.values(PLAN),
].join(', ');
const REPLAN = Object.keys(PLAN)
  .map((column) => `${column} = excluded.${column}`)
  .join(', ');

/** Open with the same due instant: its attempts belong to this plan. */
const SAME = `(t.state = 'PENDING' and t.due_at is not distinct from excluded.due_at)`;

/**
 * An expired lease without an outcome stays on the row while its instant stays, so that its process
 * can still write the outcome first. With another instant, the row waits as long as that may take.
 */
const UPSERT_PLANNED = `
  with ${MOMENT}
  insert into events.occurrences as t (${COLUMNS}, state, next_attempt_at)
  select ${VALUES}, 'PENDING', ${instant('"dueAt"')}
  from (${GIVEN_PLANS}) as given
  on conflict (key) do update
  set ${REPLAN},
    state = 'PENDING',
    lease_until = case when ${SAME} then t.lease_until end,
    next_attempt_at = case when excluded.due_at is null then null
      when ${SAME} and t.next_attempt_at is not null then t.next_attempt_at
      else greatest(excluded.due_at, t.retry_not_before, case when t.lease_until is not null
        then excluded.planned_at + ${interval(String(EXPIRED_LEASE_GRACE_MS))} end) end,
    priority = case when ${SAME} then t.priority else 0 end,
    earlier_attempts = case when ${SAME} then t.earlier_attempts else t.attempts end,
    first_attempt_at = case when ${SAME} then t.first_attempt_at end,
    reason = null, settled_at = null, followed = false
  where t.redeliveries = 0 and (${IS_PLANNABLE('t')} or t.state = 'SKIPPED'
    or t.state = 'FAILED' and t.reason = 'date_changed')
  returning t.key`;

/** For an open row; settled rows stay as they are, and count as done. */
const UPSERT_SKIPPED = `
  with ${MOMENT}, given as materialized (${GIVEN_PLANS}
  ), written as (
    insert into events.occurrences as t (${COLUMNS}, state, reason, settled_at)
    select ${VALUES}, 'SKIPPED', reason, ${CLOCK}
    from given
    on conflict (key) do update
    set ${REPLAN}, state = ${ended('t')}, reason = excluded.reason,
      settled_at = excluded.settled_at, next_attempt_at = null, lease_until = null,
      followed = false
    where t.redeliveries = 0 and ${IS_PLANNABLE('t')}
    returning t.key
  )
  select key from written
  union
  select key from events.occurrences
  where key = any (array(select key from given)) and state in ('COMPLETED', 'FAILED', 'SKIPPED')`;

const MARK_FOLLOWED = `
  with mine as materialized (
    select t.key from events.occurrences as t
    where (t.occasion_type, t.occasion_id) in (
        select type, id from jsonb_to_recordset(:occasions::jsonb) as (type text, id uuid))
      and t.state in ('COMPLETED', 'FAILED', 'SKIPPED') and not t.followed
    order by t.key
    for no key update
  )
  update events.occurrences as t set followed = true where t.key = any (array(select key from mine))`;

const SETTLE_ALL = `
  with ${MOMENT}, mine as materialized (
    select t.* from events.occurrences as t
    where t.state = 'PENDING' and t.key = any (array(
      select o.key
      from jsonb_to_recordset(:occasions::jsonb) as given (type text, id uuid),
        lateral (
          select key from events.occurrences
          where occasion_type = given.type and occasion_id = given.id and state = 'PENDING'
          offset 0) as o))
    order by t.key
    for no key update
  ), settled as (
    update events.occurrences as t
    set state = ${ended('t')}, reason = :reason, settled_at = ${CLOCK}, next_attempt_at = null,
      lease_until = null, followed = false
    where t.key = any (array(select mine.key from mine where ${isFree('mine', CLOCK)}))
  )
  select occasion_type as type, occasion_id as id, ${ms('max(lease_until)', 'leaseUntil')}
  from mine where not ${isFree('mine', CLOCK)}
  group by occasion_type, occasion_id`;
