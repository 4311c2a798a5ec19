/**
 * The statements of the delivery ledger. Batches are passed as one JSON parameter;
 * instants as epoch ms. A comment inside a statement must not hold a question mark.
 *
 * None of those that take many rows waits for one: what is locked is left out. So they
 * cannot deadlock, and one row that is locked for long does not hold up the others.
 */

/** SQL for an instant given as epoch ms. */
export const instant = (ms: string): string => `to_timestamp(${ms}::float8 / 1000)`;

/** SQL for an instant as epoch ms, under a name. */
export const ms = (column: string, name: string): string =>
  `(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

/** SQL for a duration given in ms. */
export const interval = (ms: string): string => `(${ms}::float8 * interval '1 millisecond')`;

/** Of the rows in `given`, those that no other transaction has locked. */
const FREE = `free as materialized (
    select key from events.occurrences where key in (select key from given)
    for no key update skip locked
  )`;

/** The others, which are to be written again; there are hardly ever any. */
const NOT_FREE = `
  select key from events.occurrences
  where (select count(*) from free) < (select count(*) from given)
    and key in (select key from given) and key not in (select key from free)`;

/**
 * The keys that `query` gives, for `t.key = any (…)`: each is looked up by the primary key. A join
 * would leave it to the planner, who takes a guess at how many there are, and reads the whole table
 * for 500 of them.
 */
export const keysOf = (query: string): string => `array(select key from ${query})`;

/** The row is still held by the claim in `given`. */
const HELD = `t.state = 'PROCESSING' and t.fence = given.fence and t.sending_until is not null`;

/** What was delivered once stays so, whatever comes of a redelivery that was forced. */
const settledAs = (state: string): string =>
  `case when t.delivered_at is null then '${state}' else 'COMPLETED' end`;

/**
 * A row that is locked, or that has what this very attempt led to, from a write whose answer was
 * lost. By its key: `offset 0` keeps the planner from a join.
 */
const IS_FOLLOWED = `exists (
    select from (select * from events.occurrences where key = given.key offset 0) as t
    where t.key not in (select key from free) or t.fence = given.fence and t.state =
      case kind when 'delivered' then 'COMPLETED' when 'failed' then ${settledAs('FAILED')}
        else 'PROCESSING' end)`;

/** No activity waits for the row, and so none would arm it for its next attempts. */
const IS_LEDGERS_RETRY = `(kind = 'retry' and t.task_token is null)`;

const UNCOUNTED = `
  attempts = t.attempts - 1,
  armed_attempts = greatest(t.armed_attempts - 1, 0),
  first_attempt_at = case when t.attempts > t.earlier_attempts + 1 then t.first_attempt_at end,
  sending_until = null`;

/**
 * Parameters: key, fire instant, token in hex, now, lane, now, token in hex. A row on the wire
 * stays there, and reports to the new token; the activity of the one before is let go. One that
 * waits for its next attempt waits on. A row that is redelivered was settled before, and has an
 * activity of its own.
 */
export const ARM = `
  with planned as materialized (
    select key, task_token from events.occurrences
    where key = ? and fire_at = ${instant('?')}
      and state in ('PENDING', 'PROCESSING') and blocked_reason is null and redelivery_id is null
    for no key update
  ), stale as (
    insert into events.stale_tokens (task_token, occurrence_key)
    select task_token, key from planned where task_token <> decode(?, 'hex')
    on conflict do nothing
  )
  update events.occurrences as t
  set (next_attempt_at, armed_attempts, sending_until) = (
      select case when sending then next_attempt_at
          else greatest(fire_at, retry_at, next_attempt_at,
            least(${instant('?')}, events.clock())) end,
        case when sending then armed_attempts else 0 end,
        case when sending then sending_until end
      from (select coalesce(sending_until > events.clock(), false) as sending) as wire),
    state = 'PROCESSING', lane = ?, armed_at = ${instant('?')}, task_token = decode(?, 'hex'),
    report = null, reporting_until = null
  from planned where t.key = planned.key
  returning t.key`;

/**
 * Parameters: grace in ms, limit, ms after which it is late. A plan is armed so but once: what a
 * claim lets go of, because the user has changed, waits for its next plan. What is still to be
 * told to an activity of an earlier plan is told.
 */
export const ARM_OVERDUE = `
  with moment as materialized (
    select clock, clock - ${interval('?')} as before from (select events.clock() as clock) as c
  ), overdue as materialized (
    select key from events.occurrences
    where state = 'PENDING' and fire_at < (select before from moment)
      and planned_at < (select before from moment)
      and blocked_reason is null and coalesce(armed_at < planned_at, true)
    order by fire_at, key
    limit ?::int
    for no key update skip locked
  )
  update events.occurrences as t
  set state = 'PROCESSING', lane = case when t.fire_at < clock - ${interval('?')} then 1 else 0 end,
    armed_at = clock, armed_attempts = 0, next_attempt_at = greatest(t.fire_at, t.retry_at)
  from moment, overdue where t.key = overdue.key
  returning t.key`;

export const FIND_STATE = 'select state from events.occurrences where key = ?';

/**
 * Parameters: now, limit, limit of those late, hold, hold. Due by both clocks. A claimed row
 * comes up again, in the same index, when its hold is over: so the rows of a dead process
 * are found.
 */
export const CLAIM = `
  with moment as materialized (
    select clock, least(clock, ${instant('?')}) as due,
      case when paused_at is null and coalesce(slowed_until <= clock, true)
        then ?::int else 0 end as allowed
    from events.destinations, (select events.clock() as clock) as c
    where id = 'default'
  ), on_time as materialized (
    select key from events.occurrences
    where state = 'PROCESSING' and lane = 0 and next_attempt_at <= (select due from moment)
    order by next_attempt_at
    limit (select allowed from moment)
    for update skip locked
  ), late as materialized (
    select key from events.occurrences
    where state = 'PROCESSING' and lane = 1 and next_attempt_at <= (select due from moment)
    order by next_attempt_at
    limit least((select allowed from moment) - (select count(*) from on_time), ?::int)
    for update skip locked
  ), taken as (
    update events.occurrences as t
    set sending_until = clock + ${interval('?')},
      next_attempt_at = clock + ${interval('?')},
      fence = t.fence + 1,
      attempts = t.attempts + 1,
      armed_attempts = t.armed_attempts + 1,
      first_attempt_at = coalesce(t.first_attempt_at, clock)
    from moment
    where t.key = any (${keysOf('(table on_time union all table late) as picked')})
    returning t.*
  )
  select key, fence, event_type as "eventType", user_id as "userId", year,
    anchor_date::text as "anchorDate", timezone, local_date::text as "localDate",
    ${ms('fire_at', 'fireAt')}, attempts as attempt, armed_attempts as "armedAttempt",
    ${ms('first_attempt_at', 'firstAttemptAt')}, lane = 1 as late,
    redelivery_id is not null as redelivered, earlier_attempts as "earlierAttempts"
  from taken
  order by lane, fire_at`;

/**
 * Parameter: the attempts. A delivery is recorded whoever holds the row by now; what else
 * an attempt leads to, only by the holder. Gives the keys of rows that are locked, to be written
 * again, and of those that another holds.
 */
export const RECORD = `
  with given as materialized (
    select * from jsonb_to_recordset(?::jsonb) as (
      key text, fence int, attempt int, "fireAt" float8, "startedAt" float8, "durationMs" float8,
      outcome text, status int, "errorCode" text, "responseExcerpt" text,
      kind text, at float8, reason text)
  ), ${FREE}, kept as (
    insert into events.attempts (occurrence_key, number, started_at, duration_ms, outcome,
      status, error_code, response_excerpt)
    select key, attempt, ${instant('"startedAt"')}, round("durationMs"), outcome, status,
      "errorCode", "responseExcerpt"
    from given
    where key in (select key from free)
    on conflict do nothing
  ), settled as (
    update events.occurrences as t
    set state = case kind when 'delivered' then 'COMPLETED' when 'failed' then ${settledAs('FAILED')}
        else t.state end,
      reason = given.reason,
      blocked_reason = null,
      next_attempt_at = case when kind = 'again' or ${IS_LEDGERS_RETRY} then ${instant('at')} end,
      armed_attempts = case when ${IS_LEDGERS_RETRY} then 0 else t.armed_attempts end,
      retry_at = case when kind = 'retry' then ${instant('at')} end,
      sending_until = null,
      settled_at = case when kind in ('delivered', 'failed') then ${instant('at')} end,
      delivered_at = coalesce(t.delivered_at, case when kind = 'delivered' then ${instant('at')} end),
      lateness_ms = coalesce(t.lateness_ms,
        case when kind = 'delivered' then round(at - given."fireAt") end),
      report = case when t.task_token is not null and kind <> 'again' then kind end,
      reporting_until = null
    from given
    where t.key = given.key and t.key in (select key from free)
      and case kind when 'delivered' then t.state <> 'COMPLETED' else ${HELD} end
    returning t.key
  )
  select key, true as locked from (${NOT_FREE}) as locked
  union all
  select key, false from given
  where key not in (select key from settled) and not ${IS_FOLLOWED}`;

/**
 * Parameter: claims with `because`. A redelivery is never planned again and never too late: of
 * those only a user's deletion lets go. Gives the keys of rows that are locked.
 */
export const RELEASE = `
  with given as materialized (
    select * from jsonb_to_recordset(?::jsonb) as (key text, fence int, because text)
  ), ${FREE}, released as (
    update events.occurrences as t
    set state = case when because = 'changed' then 'PENDING' else ${settledAs('SKIPPED')} end,
      reason = case when because <> 'changed' then because end,
      settled_at = case when because <> 'changed' then events.clock() end,
      next_attempt_at = null,
      report = case when t.task_token is null then null
        when because = 'changed' then 'released' else 'skipped' end,
      reporting_until = null,
      ${UNCOUNTED}
    from given
    where t.key = given.key and t.key in (select key from free) and ${HELD}
      and (t.redelivery_id is null or because = 'user_deleted')
  )
  ${NOT_FREE}`;

/**
 * Parameter: claims. Due again at once, but not before its instant, should the clock have
 * been set back. Gives the keys of rows that are locked.
 */
export const GIVE_BACK = `
  with given as materialized (
    select * from jsonb_to_recordset(?::jsonb) as (key text, fence int)
  ), ${FREE}, returned as (
    update events.occurrences as t
    set next_attempt_at = greatest(t.fire_at, events.clock()), ${UNCOUNTED}
    from given
    where t.key = given.key and t.key in (select key from free) and ${HELD}
  )
  ${NOT_FREE}`;

/** Parameter: now. By the clock that is further behind. No row when nothing is armed. */
export const NEXT_DUE = `
  with armed as materialized (
    select least(
      (select min(next_attempt_at) from events.occurrences
       where state = 'PROCESSING' and lane = 0 and next_attempt_at is not null),
      (select min(next_attempt_at) from events.occurrences
       where state = 'PROCESSING' and lane = 1 and next_attempt_at is not null)) as next
  )
  select greatest(0,
    extract(epoch from next - least(events.clock(), ${instant('?')})) * 1000)::float8 as "waitMs"
  from armed where next is not null`;

export const COUNTS = `
  select
    (select count(*) from events.occurrences
     where state = 'PROCESSING' and next_attempt_at is not null)::int as armed,
    (select count(*) from events.occurrences where report is not null)::int as unreported`;
