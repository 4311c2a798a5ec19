/**
 * The statements of the reconciler, which compare the two schemas. All instants are the
 * database's, by `events.clock()`, read once in a select of its own: else no index would be
 * searched by it. No question mark in a comment inside a statement.
 */
import type { LedgerKind } from '../events/reconciliation.ts';
import { SCHEDULING } from '../users/outbox.ts';
import { sourceOf, type FactsSources } from './facts-source.ts';

export const NOW = '(select events.clock())';
export const ago = (span: string): string => `(select events.clock() - interval '${span}')`;

/** The planner's: planned or being attempted, and not by redelivery. */
const OPEN = `o.state in ('PENDING', 'PROCESSING') and o.redelivery_id is null`;

/** Armed once, and now nobody's turn but the engine's, which let it pass. */
const LEFT = `o.state = 'PROCESSING' and o.next_attempt_at is null and o.report is null
  and greatest(o.planned_at, o.armed_at, o.retry_at) < ${ago('2 minutes')}`;

const PAST = `o.state = 'PENDING' and o.blocked_reason is null and o.fire_at < ${ago('2 minutes')}`;

const UNCHECKED = `o.state = 'PENDING' and o.blocked_reason is null and o.rechecked_at is null
  and o.fire_at < (select events.clock() + interval '24 hours')`;

/** A reporter that lives tells a herd of 100,000 in a quarter of that. */
const UNREPORTED = `o.report is not null
  and greatest(o.planned_at, o.armed_at, o.settled_at, o.retry_at,
    case when o.fire_at < ${NOW} then o.fire_at end) < ${ago('1 hour')}`;

const USER_IS_GONE = `not exists (select from users.users as u where u.id = o.user_id)`;

/** A message about the user is on its way to the followers, or has hardly arrived. */
const hasNews = (user: string): string => `exists (
  select from users.outbox as e
  where e.user_id = ${user} and e.subscriber = '${SCHEDULING}' and e.set_aside_at is null
    and (e.relayed_at is null or e.relayed_at > ${ago('10 minutes')}))`;

const unknown = (subject: string): string =>
  `not exists (select from events.findings as f where f.subject = ${subject})`;

const ROW = `o.key as subject, o.event_type, o.user_id, o.fire_at as due_at, o.planned_at`;

/** Keeps what a select of `ROW`s and a limit finds; `seen` at the limit means that there is more. */
const suspect = (kind: string, select: string): string => `
  with seen as materialized (${select} limit ?),
  kept as (
    insert into events.findings (kind, subject, event_type, user_id, due_at, planned_at)
    select '${kind}', seen.* from seen order by subject
    on conflict do nothing
    returning subject
  )
  select (select count(*) from kept)::int as suspected, (select count(*) from seen)::int as seen`;

/** Parameter: limit. Each by a partial index of what is rare. */
export const LOOK: Readonly<
  Record<Exclude<LedgerKind, 'unplanned' | 'orphaned' | 'store_lost'>, string>
> = {
  unattempted: suspect(
    'unattempted',
    `select * from (
       select ${ROW} from events.occurrences as o
       where ${PAST} and o.planned_at < ${ago('2 minutes')} and ${unknown('o.key')}
       union all
       select ${ROW} from events.occurrences as o
       where ${LEFT} and o.redelivery_id is null and ${unknown('o.key')}
     ) as o order by due_at, subject`,
  ),
  stalled_redelivery: suspect(
    'stalled_redelivery',
    `select ${ROW} from events.occurrences as o
     where ${LEFT} and o.redelivery_id is not null and ${unknown('o.key')}
     order by o.fire_at, o.key`,
  ),
  unchecked: suspect(
    'unchecked',
    `select ${ROW} from events.occurrences as o
     where ${UNCHECKED} and o.fire_at >= ${ago('2 minutes')} and ${unknown('o.key')}
     order by o.fire_at, o.key`,
  ),
  unreported: suspect(
    'unreported',
    `select ${ROW} from events.occurrences as o where ${UNREPORTED} and ${unknown('o.key')}`,
  ),
  set_aside: suspect(
    'set_aside',
    `select 'outbox:' || e.id as subject, null as event_type, e.user_id,
       null::timestamptz as due_at, null::timestamptz as planned_at
     from users.outbox as e
     where e.set_aside_at is not null and ${unknown(`'outbox:' || e.id`)}
     order by e.id`,
  ),
};

/** Parameters: after, size of a page less one. No row on the last page. */
export const USERS_PAGE = `
  select id as last from users.users where id > ? order by id offset ?::int limit 1`;
export const PLANS_PAGE = `
  select user_id as last from events.occurrences where state = 'PENDING' and user_id > ?
  order by user_id offset ?::int limit 1`;

/**
 * Parameters: event type, after, last, event type, after, last, event type, limit. Those who
 * have no PENDING row, by two indexes alone; of these few, the rest. Who was settled of late,
 * or waits for their outcome to be reported, is planned after that.
 *
 * @param facts of whoever has such an event
 */
export const lookForUnplanned = (facts: string): string =>
  suspect(
    'unplanned',
    `select e.type || ':' || c.user_id as subject, e.type as event_type, c.user_id,
       null::timestamptz as due_at, null::timestamptz as planned_at
     from (select ?::text as type) as e, lateral (
       with candidate as materialized (
         select u.user_id from (${facts}) as u
         where u.user_id > ? and u.user_id <= ? and not exists (
           select from events.occurrences as p
           where p.user_id = u.user_id and p.event_type = ? and p.state = 'PENDING'
             and p.user_id > ? and p.user_id <= ?)
       )
       select user_id from candidate
     ) as c
     where not exists (
         select from events.occurrences as o
         where o.user_id = c.user_id and o.event_type = ?
           and (${OPEN} or o.report is not null or o.settled_at > ${ago('5 minutes')}))
       and not ${hasNews('c.user_id')}
       and exists (select from (${facts}) as u
         where u.user_id = c.user_id and u.created_at < ${ago('10 minutes')})
       and ${unknown(`e.type || ':' || c.user_id`)}`,
  );

/**
 * Parameters: after, last, after, last, limit. By two indexes alone, as well. Armed rows need no
 * look: their claim lets go of them.
 */
export const LOOK_ORPHANED = suspect(
  'orphaned',
  `select c.* from (
     with candidate as materialized (
       select p.user_id, p.event_type from events.occurrences as p
       where p.state = 'PENDING' and p.user_id > ? and p.user_id <= ? and not exists (
         select from users.users as u where u.id = p.user_id and u.id > ? and u.id <= ?)
     )
     select ${ROW} from candidate join events.occurrences as o
       on o.user_id = candidate.user_id and o.event_type = candidate.event_type
       and o.state = 'PENDING'
     where not ${hasNews('o.user_id')} and ${unknown('o.key')}
   ) as c`,
);

/** Parameters: store, store. */
export const REMEMBER_STORE = `
  update events.reconciler
  set store_id = ?, planned_elsewhere_until = case when store_id is not null
    then (select max(planned_at) from events.occurrences) else planned_elsewhere_until end
  where store_id is distinct from ?`;

export const IS_STORE_LOST = `
  select planned_elsewhere_until::text as until from events.reconciler
  where planned_elsewhere_until is not null`;

/** Parameter: until. Unless another store has been lost meanwhile. */
export const STORE_IS_REBUILT = `
  update events.reconciler set planned_elsewhere_until = null
  where planned_elsewhere_until = ?::timestamptz`;

const PLANNED_ELSEWHERE = `
  o.planned_at <= (select planned_elsewhere_until from events.reconciler) and ${unknown('o.key')}`;

/** Parameter: limit. Those that are armed, and those without an instant. */
export const LOOK_FEW_STORE_LOST = suspect(
  'store_lost',
  `select * from (
     select ${ROW} from events.occurrences as o
     where o.state = 'PROCESSING' and o.redelivery_id is null and ${PLANNED_ELSEWHERE}
     union all
     select ${ROW} from events.occurrences as o
     where o.blocked_reason is not null and o.state = 'PENDING' and ${PLANNED_ELSEWHERE}
   ) as o order by due_at, subject`,
);

/** Parameters: fire instant in ms, key, size of a page. Where a page of plans ends, the soonest first. */
export const INSTANTS_PAGE = `
  select (extract(epoch from fire_at) * 1000)::float8 as "fireAt", key
  from events.occurrences
  where state = 'PENDING' and (fire_at, key) > (to_timestamp(?::float8 / 1000), ?)
  order by fire_at, key offset ?::int limit 1`;

/** Parameters: fire instant in ms, key, the same of the last, limit. */
export const LOOK_STORE_LOST = suspect(
  'store_lost',
  `select ${ROW} from events.occurrences as o
   where o.state = 'PENDING' and (o.fire_at, o.key) > (to_timestamp(?::float8 / 1000), ?)
     and (o.fire_at, o.key) <= (to_timestamp(?::float8 / 1000), ?) and ${PLANNED_ELSEWHERE}
   order by o.fire_at, o.key`,
);

/** Parameters: fire instant in ms, key, limit. A fresh plan's follower has just planned it. */
export const FIND_DUE_SOON = `
  select key, (extract(epoch from fire_at) * 1000)::float8 as "fireAt",
    event_type as "eventType", user_id as "userId"
  from events.occurrences as o
  where state = 'PENDING' and (fire_at, key) > (to_timestamp(?::float8 / 1000), ?)
    and fire_at >= ${ago('2 minutes')}
    and fire_at < (select events.clock() + interval '2 hours')
    and rechecked_at is not null and planned_at < ${ago('2 minutes')}
    and ${unknown('o.key')}
  order by fire_at, key
  limit ?`;

/** Parameter: keys. */
export const SUSPECT_UNFOLLOWED = `
  insert into events.findings (kind, subject, event_type, user_id, due_at, planned_at)
  select 'unfollowed', ${ROW}
  from jsonb_array_elements_text(?::jsonb) as given (key)
  join events.occurrences as o on o.key = given.key
  where o.state = 'PENDING'
  order by o.key
  on conflict do nothing
  returning subject`;

/** By the key, never by an index of what is usually rare: `offset 0` keeps the condition outside. */
const row = (condition: string): string => `exists (
  select from (select * from events.occurrences where key = f.subject offset 0) as o
  where ${condition})`;

/** By the finding's event type; of one that is not here, the user has no event. */
const hasEvent = (sources: FactsSources): string => {
  const cases = Object.keys(sources).map(
    (type) => `when '${type}' then exists (
      select from (${sourceOf(sources, type).facts}) as u where u.user_id = f.user_id)`,
  );
  return `(case f.event_type ${cases.join(' ')} else false end)`;
};

/** Whether a finding is still so. */
export const holds = (sources: FactsSources): string => `(case f.kind
  when 'unattempted' then ${row(`o.redelivery_id is null and (${PAST} or ${LEFT})`)}
  when 'stalled_redelivery' then ${row(`o.redelivery_id is not null and ${LEFT}`)}
  when 'unchecked' then ${row(UNCHECKED)}
  when 'unreported' then ${row(UNREPORTED)}
  when 'orphaned' then ${row(`o.state = 'PENDING' and ${USER_IS_GONE}`)}
  when 'unplanned' then ${hasEvent(sources)} and not exists (select from events.occurrences as o
      where o.user_id = f.user_id and o.event_type = f.event_type and ${OPEN})
  when 'set_aside' then exists (select from users.outbox as e
    where e.id = split_part(f.subject, ':', 2)::bigint and e.set_aside_at is not null)
  when 'store_lost' then ${row(`${OPEN} and o.planned_at = f.planned_at`)}
  else ${row(`o.state = 'PENDING' and o.planned_at = f.planned_at`)}
  end)`;
