/**
 * The outcomes of leased rows. None of these statements waits for a row that another transaction
 * has locked: it skips the row and returns its key. So they cannot deadlock, and one row cannot
 * delay the others.
 */
import { destinationNow, instant } from './sql.ts';

/** The rows of `given` that are not locked, in their current state, in the order of their keys. */
const FREE = `free as materialized (
    select t.* from events.occurrences as t
    where t.key = any (array(select key from given))
    order by t.key
    for no key update skip locked
  )`;

/** The others, to be written again; there are hardly ever any. */
const LOCKED = `
  select key from events.occurrences
  where (select count(*) from free) < (select count(*) from given)
    and key in (select key from given) and key not in (select key from free)`;

/** Settled without an attempt of its own. A row that was delivered once stays COMPLETED. */
export const ended = (row: string): string => `
  case when ${row}.delivered_at is not null then 'COMPLETED'
    when ${row}.attempts > 0 then 'FAILED' else 'SKIPPED' end`;

/**
 * Records attempts, and what they lead to. Parameter: `attempts`, each key once. Returns those that
 * were not written: `locked` rows, and lost ones.
 *
 * An attempt gets its number when it is recorded. A lease has at most one attempt, so a second
 * write of the same attempt changes nothing. A delivery counts whatever the row's lease; one from
 * before a forced redelivery, which is to repeat it, is only recorded. Other outcomes count under
 * their lease only. An attempt whose lease was lost is recorded; it starts the give-up clock of the
 * current due instant only if it was made for that.
 */
export const RECORD = `
  with given as materialized (
    select * from jsonb_to_recordset(:attempts::jsonb) as (
      key text, "leaseToken" int, "dueAt" float8, "localDate" date, "sentBy" text,
      "startedAt" float8, "durationMs" float8, outcome text, status int, "errorCode" text,
      "responseExcerpt" text, kind text, at float8, "notBefore" float8, reason text)
  ), ${FREE}, latest as materialized (
    select occurrence_key as key, max(number) as number from events.attempts
    where occurrence_key = any (array(select key from given))
    group by occurrence_key
  ), kept as (
    insert into events.attempts (occurrence_key, number, lease_token, sent_by, started_at,
      duration_ms, outcome, status, error_code, response_excerpt)
    select key, greatest(free.attempts, latest.number) + 1, "leaseToken", "sentBy",
      ${instant('"startedAt"')}, round("durationMs"), outcome, status, "errorCode",
      "responseExcerpt"
    from given join free using (key) left join latest using (key)
    on conflict do nothing
    returning occurrence_key as key
  ), step as materialized (
    select given.*, ${instant('at')} as at_instant, is_current,
      case
        when kind = 'delivered' then case
          when free.state = 'COMPLETED' or free.delivered_at is not null and not is_current
          then 'count' else 'deliver' end
        when not is_held then 'count'
        when kind = 'failed' then 'fail'
        when free.redeliveries = 0 and ${instant('at')} >= free.superseded_at then 'supersede'
        else 'retry'
      end as step
    from given join free using (key) join kept using (key), lateral (
      select free.lease_until is not null and free.lease_token = "leaseToken" as is_held) as held,
      lateral (
      select is_held or free.due_at is not distinct from ${instant('given."dueAt"')}
        and coalesce(${instant('"startedAt"')} >= free.redelivered_at, true) as is_current) as current
  ), written as (
    update events.occurrences as t
    set attempts = t.attempts + 1,
      earlier_attempts = t.earlier_attempts + case when is_current then 0 else 1 end,
      first_attempt_at = case when is_current
        then coalesce(t.first_attempt_at, ${instant('"startedAt"')}) else t.first_attempt_at end,
      state = case step
        when 'deliver' then 'COMPLETED'
        when 'retry' then 'PENDING'
        when 'supersede' then 'FAILED'
        when 'fail' then case when t.delivered_at is null then 'FAILED' else 'COMPLETED' end
        else case t.state when 'SKIPPED' then 'FAILED' else t.state end end,
      reason = case step when 'deliver' then null when 'fail' then step.reason
        when 'supersede' then 'superseded' else t.reason end,
      next_attempt_at = case step when 'count' then t.next_attempt_at
        when 'retry' then greatest(t.due_at, at_instant) end,
      lease_until = case step when 'count' then t.lease_until end,
      priority = case step when 'retry' then 1 else t.priority end,
      retry_not_before = case step when 'count' then t.retry_not_before
        when 'retry' then ${instant('"notBefore"')} end,
      settled_at = case step when 'deliver' then at_instant when 'fail' then at_instant
        when 'supersede' then ${instant('"startedAt" + "durationMs"')} else t.settled_at end,
      followed = case when step in ('deliver', 'fail', 'supersede') then false else t.followed end,
      blocked_reason = case step when 'deliver' then null else t.blocked_reason end,
      due_at = case step when 'deliver' then coalesce(t.due_at, ${instant('step."dueAt"')})
        else t.due_at end,
      local_date = case step when 'deliver' then coalesce(t.local_date, step."localDate")
        else t.local_date end,
      delivered_at = case step when 'deliver' then coalesce(t.delivered_at, at_instant)
        else t.delivered_at end,
      lateness_ms = case step
        when 'deliver' then coalesce(t.lateness_ms, round(at - step."dueAt")) else t.lateness_ms end
    from step
    where t.key = step.key
  )
  select key, true as locked from (${LOCKED}) as locked
  union all
  select key, false from step where step = 'count' and kind <> 'delivered'
  union all
  select key, false from given
  where (select count(*) from free) < (select count(*) from given)
    and key not in (select key from events.occurrences where key in (select key from given))`;

/**
 * Changes the rows that are still under the lease given for them, expired or not. Parameter:
 * `leases`. Returns the keys of locked rows. The conditions are on the rows locked before: in the
 * update itself they would make PostgreSQL search the whole ledger for such rows.
 */
const ofLeases = (update: string): string => `
  with given as materialized (
    select * from jsonb_to_recordset(:leases::jsonb) as (key text, "leaseToken" int, reason text)
  ), ${FREE}, mine as materialized (
    select free.*, given.reason as because from free join given using (key)
    where free.lease_until is not null and free.lease_token = given."leaseToken"
  ), changed as (
    ${update}
  )
  ${LOCKED}`;

/** PROCESSING → PENDING, waiting for its plan. */
export const RELEASE = ofLeases(`
    update events.occurrences as t
    set lease_until = null, next_attempt_at = null
    where t.key = any (array(select key from mine where redeliveries = 0))`);

/**
 * PROCESSING → PENDING at the current destination of its type: a first attempt due as before the
 * claim, a retry or a redelivery due now, behind those that have waited for longer.
 */
export const RETURN_TO_QUEUE = ofLeases(`
    update events.occurrences as t
    set lease_until = null, destination = ${destinationNow('t')},
      next_attempt_at = case priority when 1 then greatest(next_attempt_at, events.clock())
        else next_attempt_at end
    where t.key = any (array(select key from mine))`);

/**
 * PROCESSING → SKIPPED, or FAILED if it was attempted before. A redelivery is never too late or
 * superseded.
 */
export const END = ofLeases(`
    update events.occurrences as t
    set state = ${ended('t')}, reason = because, settled_at = events.clock(),
      lease_until = null, next_attempt_at = null, followed = false
    from mine
    where t.key = mine.key
      and (mine.redeliveries = 0 or because in ('user_deleted', 'occasion_deleted', 'suspended'))`);
