import type { ErasedUser, ErasureLedger, ErasureState } from '../events/erasure.ts';
import { SCHEDULING } from '../users/outbox.ts';
import type { Orm } from './orm.ts';

/**
 * Erasure in PostgreSQL: the one place, besides the reconciler and the audit, that knows both
 * schemas. Ages are by the database's clock.
 */
export function createErasureLedger(orm: Orm): ErasureLedger {
  return {
    eraseFromDatabase: (eraseAfterMs, limit) =>
      orm.em.fork().transactional(async (em) => {
        const ready = await em.execute<{ userId: string }[]>(LOCK_READY, [eraseAfterMs, limit]);
        if (ready.length === 0) return 0;
        const users = JSON.stringify(ready.map(({ userId }) => userId));
        for (const statement of ERASE) await em.execute(statement, [users]);
        return ready.length;
      }),

    takeForTemporal: (limit) => orm.em.fork().execute<ErasedUser[]>(TAKE, [limit]),

    async markErasedFromTemporal(userIds) {
      await orm.em.fork().execute(MARK_ERASED_FROM_TEMPORAL, [JSON.stringify(userIds)]);
    },

    async findState(eraseAfterMs) {
      const em = orm.em.fork();
      const [state] = await em.execute<ErasureState[]>(FIND_STATE, [eraseAfterMs, eraseAfterMs]);
      if (state === undefined) throw new Error('The database gave no answer.');
      return state;
    },
  };
}

const age = `?::float8 * interval '1 millisecond'`;
/** Read once, by a select of its own: else no index would be searched by it. */
const DUE = `deleted_at <= (select clock_timestamp() - ${age})`;

/**
 * Parameters: age in ms, limit. Whom nothing waits for: the scheduling was told, every occurrence
 * is settled, and its outcome reported, so that no activity is left open. Of the outbox in words
 * that only the index by user answers, as in `outbox-store.ts`.
 */
const LOCK_READY = `
  select e.user_id as "userId" from users.erasures as e
  where e.database_at is null and e.temporal_at is null and e.${DUE}
    and not exists (select from users.users as u where u.id = e.user_id)
    and not exists (select from events.occurrences as o where o.user_id = e.user_id
      and (o.state in ('PENDING', 'PROCESSING') or o.report is not null))
    and not exists (select from users.outbox as x where x.user_id = e.user_id
      and x.subscriber = '${SCHEDULING}' and coalesce(x.relayed_at, x.set_aside_at) is null)
  order by e.deleted_at limit ?
  for update of e skip locked`;

/** Parameter: users. An array, so that it is an index that is searched, however large the table is. */
const OF_USERS = `user_id = any (array(
  select value::uuid from jsonb_array_elements_text(?::jsonb)))`;

/**
 * Whoever was deleted before the instant was not due: as the audit has it. A hand that deletes
 * leaves the last of the history open.
 */
const COUNT_DAYS = `
  with erased as (
    select e.user_id, coalesce(
      (select max(coalesce(h.valid_until, e.deleted_at))
        from users.history as h where h.user_id = e.user_id),
      e.deleted_at) as deleted_at
    from users.erasures as e where e.${OF_USERS}
  )
  insert into events.erased_days (event_type, local_date, state, occurrences)
  select o.event_type, o.local_date, o.state, count(*)
  from erased join events.occurrences as o on o.user_id = erased.user_id
  where o.local_date is not null and o.fire_at < erased.deleted_at
  group by 1, 2, 3 order by 1, 2, 3
  on conflict (event_type, local_date, state) do update
    set occurrences = erased_days.occurrences + excluded.occurrences`;

/** In this order; each with the users as its one parameter. */
const ERASE: readonly string[] = [
  COUNT_DAYS,
  `insert into events.erased_occurrences
     (key, event_type, user_id, state, reason, attempts, lateness_ms, redeliveries)
   select key, event_type, user_id, state, reason, attempts, lateness_ms, redeliveries
   from events.occurrences where ${OF_USERS}
   on conflict (key) do nothing`,
  `delete from events.attempts where occurrence_key = any (array(
     select key from events.occurrences where ${OF_USERS}))`,
  `delete from events.occurrences where ${OF_USERS}`,
  `delete from events.findings where ${OF_USERS}`,
  `delete from users.history where ${OF_USERS}`,
  // Retention leaves these alone. Whoever has yet to hear of the deletion can still be told.
  `delete from users.outbox where ${OF_USERS} and set_aside_at is not null
     and (subscriber = '${SCHEDULING}' or type <> 'UserDeleted')`,
  `update users.outbox set last_error = null where ${OF_USERS} and set_aside_at is not null`,
  // As when the API deletes; a hand, or the version before, may have left it.
  `update users.idempotency_keys set body = null, request_hash = ''
   where ${OF_USERS} and (body is not null or request_hash <> '')`,
  `update users.erasures set database_at = clock_timestamp() where ${OF_USERS}`,
];

/** Parameter: limit. In the same ten seconds, what Temporal was told to delete may still be there. */
const TAKE = `
  with taken as (
    update users.erasures set asked_at = clock_timestamp() where user_id in (
      select user_id from users.erasures
      where temporal_at is null and database_at is not null
        and (asked_at is null or asked_at < clock_timestamp() - interval '10 seconds')
      order by asked_at nulls first, deleted_at limit ?
      for update skip locked)
    returning user_id
  )
  select taken.user_id as "userId", coalesce(
    (select jsonb_agg(jsonb_build_object('key', o.key, 'eventType', o.event_type,
        'redeliveries', o.redeliveries) order by o.key)
     from events.erased_occurrences as o where o.user_id = taken.user_id), '[]') as occurrences
  from taken`;

/** Parameter: users. One who was deleted a second time meanwhile is not meant. */
const MARK_ERASED_FROM_TEMPORAL = `
  update users.erasures set temporal_at = clock_timestamp()
  where ${OF_USERS} and database_at is not null`;

/** Parameters: age in ms, twice. */
const FIND_STATE = `
  select count(*)::int as waiting,
    coalesce(max(extract(epoch from clock_timestamp() - deleted_at - ${age}) * 1000), 0)::float8
      as "oldestAgeMs",
    (array_agg(jsonb_build_object('userId', user_id,
      'store', case when database_at is null then 'database' else 'temporal' end)
      order by deleted_at))[1] as oldest
  from users.erasures where temporal_at is null and ${DUE}`;
