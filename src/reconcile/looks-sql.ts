/**
 * The statements by which the reconciler compares users, occasions and the ledger. All instants are
 * the database's, read once in a select of its own: else no index would be searched by them.
 */
import { firstBroken, OPEN_ROW_INVARIANTS, ROW_INVARIANTS } from './invariants.ts';

const NOW = '(select events.clock())';
const ago = (span: string): string => `(select events.clock() - interval '${span}')`;

/** The planner's row; a redelivery is not. Word for word as the partial index has it. */
const OPEN = `o.state in ('PENDING', 'PROCESSING') and o.redeliveries = 0`;

/**
 * The scheduler is about to plan the user: for ten minutes that excuses what is not planned. In
 * words that only the index by user answers, however much waits.
 */
const hasNews = (user: string): string => `exists (
  select from users.outbox as e
  where e.user_id = ${user} and coalesce(e.done_at, e.parked_at) is null
    and e.occurred_at > (select users.clock() - interval '10 minutes'))`;

/** Settled five minutes ago or more, and nothing has been planned after it. */
const UNFOLLOWED = `exists (
  select from events.occurrences as u
  where u.occasion_type = s.type and u.occasion_id = s.id
    and u.state in ('COMPLETED', 'FAILED', 'SKIPPED') and not u.followed
    and u.settled_at < ${ago('5 minutes')})`;

/** Released, and not planned again for five minutes. */
const WAITS_FOR_PLAN = `o.state = 'PENDING' and o.next_attempt_at is null
  and o.blocked_reason is null and o.planned_at < ${ago('5 minutes')}
  and s.changed_at < ${ago('5 minutes')}
  and (o.due_at < ${ago('5 minutes')} or o.due_at > ${NOW})`;

const SETTLED_JUST_NOW = `exists (
  select from events.occurrences as u
  where u.occasion_type = j.type and u.occasion_id = j.id
    and u.settled_at > ${ago('5 minutes')})`;

const BROKEN = firstBroken(OPEN_ROW_INVARIANTS);

/** What planning lacks. A millisecond is what may be lost on the way through a process. */
const GAP = `case
  when not s.is_there then
    case when (s.is_known and s.ended_at is null) or o.key is not null then 'orphaned' end
  when o.key is null then
    case when s.ended_at >= s.changed_at then null else 'unplanned' end
  when ${UNFOLLOWED} or (${WAITS_FOR_PLAN}) then 'unplanned'
  when o.inputs_at < s.changed_at - interval '1 millisecond' then 'outdated' end`;

/** What is broken comes before what is only old. */
const KIND_OF_OCCASION = `case
  when l.broken is not null and coalesce(l.gap, 'outdated') = 'outdated' then 'impossible'
  else l.gap end`;

const NOTE_OF_OCCASION = `case j.kind
  when 'orphaned' then 'its user or occasion is gone'
  when 'outdated' then 'its user has changed since it was planned'
  when 'unplanned' then case when j.key is null then 'it has no open row'
    else 'its row waits for a plan' end
  else j.broken || ': ' || j.key end`;

const IS_EXCUSED = `case j.kind
  when 'impossible' then false
  when 'unplanned' then ${hasNews('j.user_id')}
    or (j.key is null and ${SETTLED_JUST_NOW})
  else coalesce(j.lease_until > ${NOW}, false) or ${hasNews('j.user_id')} end`;

/** @param seen SQL for the occasions to look at: what users have, and what the ledger knows of it */
const lookAtOccasions = (seen: string): string => `
  with ${seen},
  looked as materialized (
    select s.type, s.id, s.user_id, o.key, o.due_at, o.lease_until, ${GAP} as gap,
      case when s.is_there and o.key is not null then ${BROKEN} end as broken
    from seen as s left join lateral (
      select * from events.occurrences as o
      where o.occasion_type = s.type and o.occasion_id = s.id and ${OPEN}
      limit 1) as o on true
  ),
  judged as (select l.*, ${KIND_OF_OCCASION} as kind from looked as l)
  select j.kind, j.type || '/' || j.id as subject, j.type, j.id, j.user_id as "userId",
    (extract(epoch from j.due_at) * 1000)::float8 as "dueAt", ${NOTE_OF_OCCASION} as note
  from judged as j
  where j.kind is not null and not (${IS_EXCUSED})
  order by j.due_at nulls first, subject`;

const COLUMNS = `i.user_id is not null as is_there, i.changed_at, k.type is not null as is_known,
  k.ended_at, k.wake_at, k.wake_due_at, k.last_settled_key, k.last_settled_nominal`;

/** Parameters: after, last (ids of users). */
export const LOOK_AT_USERS = lookAtOccasions(`
  inputs as materialized (
    select * from users.occasion_inputs where user_id > :after and user_id <= :last),
  known as materialized (
    select * from events.occasions where user_id > :after and user_id <= :last),
  seen as (
    select coalesce(i.occasion_type, k.type) as type, coalesce(i.occasion_id, k.id) as id,
      coalesce(i.user_id, k.user_id) as user_id, ${COLUMNS}
    from inputs as i full join known as k on k.type = i.occasion_type and k.id = i.occasion_id)`);

/** Parameter: occasions. */
export const LOOK_AT_OCCASIONS = lookAtOccasions(`
  seen as (
    select g.type, g.id, coalesce(i.user_id, k.user_id) as user_id, ${COLUMNS}
    from jsonb_to_recordset(:occasions::jsonb) as g (type text, id uuid)
    left join lateral (
      select * from users.occasion_inputs as i
      where i.occasion_type = g.type and i.occasion_id = g.id limit 1) as i on true
    left join events.occasions as k on k.type = g.type and k.id = g.id)`);

/** Parameters: after (the id of a user), size of a page. Where a page ends; no row on the last one. */
export const END_OF_USERS = `
  select id as last from users.users where id > :after order by id offset :page::int - 1 limit 1`;

/**
 * Parameters: type and id after which, size of a page. Of a page of open rows in order, those that
 * events.occasions does not know, and the last one; no row when there is no page.
 */
export const LOOK_AT_OPEN_ROWS = `
  with page as materialized (
    select o.occasion_type as type, o.occasion_id as id from events.occurrences as o
    where ${OPEN} and (o.occasion_type, o.occasion_id) > (:type, :id::uuid)
    order by o.occasion_type, o.occasion_id limit :page::int
  ),
  last as (select type, id from page order by type desc, id desc limit 1)
  select p.type, p.id, k.id is null as "isUnknown"
  from page as p left join lateral (
    select id from events.occasions as k where k.type = p.type and k.id = p.id limit 1
  ) as k on true
  where k.id is null or (p.type, p.id) = (select type, id from last)
  order by p.type, p.id`;

/** Nothing goes out, or not at the pace of those who send: whatever waits does so rightly. */
const IS_HELD_UP = `(
  exists (
    select from events.destinations as d
    where d.id = 'default' and (d.paused_at is not null or d.max_per_second is not null
      or d.slowed_ends_at > ${NOW}))
  or exists (select from events.dispatchers as p where p.busy_at > ${ago('1 minute')}))`;

const IS_WORKED_ON = `exists (
  select from events.attempts as a where a.started_at > ${ago('2 minutes')})`;

const BROKEN_ROW = firstBroken(ROW_INVARIANTS);

const KIND_OF_ROW = `case
  when o.next_attempt_at is null then null
  when o.redeliveries > 0 and coalesce(o.lease_until < ${NOW}, true)
    and not exists (select from users.occasion_inputs as i
      where i.occasion_type = o.occasion_type and i.occasion_id = o.occasion_id) then 'orphaned'
  when o.next_attempt_at < ${ago('2 minutes')} and not (select ${IS_HELD_UP})
    and (o.next_attempt_at < ${ago('1 hour')} or not (select ${IS_WORKED_ON})) then 'unattempted'
  end`;

/** @param rows SQL for the rows of the ledger to look at */
const lookAtRows = (rows: string): string => `
  with looked as materialized (
    select o.*, ${KIND_OF_ROW} as gap, ${BROKEN_ROW} as broken from (${rows}) as o
  ),
  judged as (
    select l.*, case when l.broken is not null then 'impossible' else l.gap end as kind
    from looked as l
  )
  select j.kind, j.key as subject, j.occasion_type as type, j.occasion_id as id,
    j.user_id as "userId", (extract(epoch from j.due_at) * 1000)::float8 as "dueAt",
    case j.kind when 'orphaned' then 'a redelivery whose user is gone'
      when 'unattempted' then 'nobody attempts it, and nothing holds it up'
      else j.broken end as note
  from judged as j
  where j.kind is not null and not (j.kind = 'orphaned' and ${hasNews('j.user_id')})
  order by j.due_at, j.key
  limit :limit::int`;

const claimable = (priority: number): string => `
  select * from events.occurrences
  where priority = ${priority} and next_attempt_at < (select events.clock() + interval '1 hour')`;

/** Parameter: limit. What is due within an hour or waits, and what was delivered within a day. */
export const LOOK_AT_DUE_ROWS = lookAtRows(`
  ${claimable(0)} union all ${claimable(1)} union all
  select * from events.occurrences
  where state = 'COMPLETED' and due_at > ${ago('1 day')} and due_at <= ${NOW}`);

/** Parameters: keys, limit. */
export const LOOK_AT_ROWS = lookAtRows(`
  select * from events.occurrences where key = any (array(
    select value from jsonb_array_elements_text(:keys::jsonb)))`);

/** Parameter: limit. */
export const LOOK_AT_PARKED = `
  select 'parked' as kind, 'outbox:' || id as subject, occasion_type as type,
    occasion_id as id, user_id as "userId", null::float8 as "dueAt",
    'it failed too often: npm run outbox' as note
  from users.outbox where parked_at is not null order by id limit :limit::int`;

/** What is nobody's fault here: rows without an instant, and rows that wait to be sent. */
export const BYSTANDERS = `
  select
    (select count(*) from events.occurrences
     where blocked_reason is not null and state = 'PENDING')::int as blocked,
    (select count(*) from events.occurrences
     where priority in (0, 1) and next_attempt_at < ${ago('2 minutes')}
       and (lease_until is null or lease_until < ${NOW}))::int as waiting`;

/**
 * Whether a herd goes out, and how long ago in ms each half was last looked through; null for never.
 */
export const STATE = `
  select
    exists (
      select from events.dispatchers where busy_at > ${ago('15 seconds')}) as "isBusy",
    (extract(epoch from ${NOW} - ledger_looked_at) * 1000)::float8 as "ledgerAgeMs",
    (extract(epoch from ${NOW} - workflows_looked_at) * 1000)::float8 as "workflowsAgeMs",
    (extract(epoch from ${NOW} - compared_at) * 1000)::float8 as "comparedAgeMs"
  from events.reconciler`;
