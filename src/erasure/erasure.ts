import { BIRTHDAY } from '../ledger/occurrence-key.ts';
import { epochMs, interval, queryIn, queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';

/** A user who is erased from the database, with the ids of all workflows that may exist. */
export interface ErasedUser {
  readonly userId: string;
  readonly workflows: readonly string[];
}

/** Deleted users who should have been erased already. */
export interface ErasureState {
  readonly waiting: number;
  /** For how long the longest waiting user has been due; 0 if none waits. */
  readonly oldestAgeMs: number;
  /** That user, and the store that still has their data. */
  readonly oldest: { readonly userId: string; readonly store: 'database' | 'temporal' } | null;
}

export type Erasure = ReturnType<typeof createErasure>;

/**
 * Erases deleted users from the database (docs/adr/0013-erasure.md). Ages are by the database's
 * clock; everything is safe to repeat.
 */
export function createErasure(orm: Orm) {
  const query = queryOf(orm);
  return {
    /**
     * Erases users who were deleted that long ago and whose occasions have ended, in one
     * transaction: at most `limit`, the longest deleted first. Returns how many.
     */
    eraseFromDatabase: (eraseAfterMs: number, limit: number): Promise<number> =>
      orm.em.fork().transactional(async (em) => {
        const run = queryIn(em);
        const ready = await run<{ userId: string }>(LOCK_READY, { eraseAfterMs, limit });
        if (ready.length === 0) return 0;
        const users = JSON.stringify(ready.map(({ userId }) => userId));
        for (const statement of ERASE) await run(statement, { users });
        return ready.length;
      }),

    /** Takes users whose workflows Temporal may still have, each at most once in ten seconds. */
    takeForTemporal: (limit: number): Promise<ErasedUser[]> => query<ErasedUser>(TAKE, { limit }),

    async markErasedFromTemporal(userIds: readonly string[]): Promise<void> {
      await query(MARK_ERASED_FROM_TEMPORAL, { users: JSON.stringify(userIds) });
    },

    async findState(eraseAfterMs: number): Promise<ErasureState> {
      const [state] = await query<ErasureState>(FIND_STATE, { eraseAfterMs });
      return state ?? { waiting: 0, oldestAgeMs: 0, oldest: null };
    },
  };
}

/** Read once, by a select of its own: otherwise it would not be used to search an index. */
const DUE = `deleted_at <= (select clock_timestamp() - ${interval(':eraseAfterMs')})`;

/**
 * Nothing waits any more: the deletion is planned, so that every occasion has ended, and every
 * occurrence is settled, redeliveries too. The condition on the outbox is written so that only the
 * index by user can answer it, however much waits there.
 */
const LOCK_READY = `
  select e.user_id as "userId" from users.erasures as e
  where e.database_at is null and e.temporal_at is null and e.${DUE}
    and not exists (select from users.users as u where u.id = e.user_id)
    and not exists (
      select from events.occurrences as o
      where o.user_id = e.user_id and o.state = 'PENDING')
    and not exists (
      select from events.occasions as o where o.user_id = e.user_id and o.ended_at is null)
    and not exists (
      select from users.outbox as x
      where x.user_id = e.user_id and coalesce(x.done_at, x.parked_at) is null)
  order by e.deleted_at limit :limit::int
  for update of e skip locked`;

/** Parameter: users. An array, so that an index is searched, however large the table is. */
const OF_USERS = `user_id = any (array(
  select value::uuid from jsonb_array_elements_text(:users::jsonb)))`;

/**
 * As in the audit, what was deleted before the instant was not due. A deletion by hand leaves the
 * last entry of the history open.
 */
const COUNT_DAYS = `
  with erased as (
    select e.user_id, coalesce(
      (select max(coalesce(h.valid_until, e.deleted_at))
        from users.history as h where h.user_id = e.user_id),
      e.deleted_at) as deleted_at
    from users.erasures as e where e.${OF_USERS}
  )
  insert into events.erased_days (occasion_type, local_date, state, occurrences)
  select o.occasion_type, o.local_date, o.state, count(*)
  from erased join events.occurrences as o on o.user_id = erased.user_id
  where o.local_date is not null and o.due_at < erased.deleted_at
    and not exists (
      select from users.occasion_periods as p where p.occasion_id = o.occasion_id
      having max(coalesce(p.valid_until, 'infinity')) <= o.due_at)
  group by 1, 2, 3 order by 1, 2, 3
  on conflict (occasion_type, local_date, state) do update
    set occurrences = erased_days.occurrences + excluded.occurrences`;

/** Before the occasions are gone. Every user had a birthday, planned or not. */
const NOTE_WORKFLOWS = `
  update users.erasures as e set workflows = array(
    select '${BIRTHDAY}/' || e.user_id
    union select o.type || '/' || o.id from events.occasions as o where o.user_id = e.user_id
    union select o.occasion_type || '/' || o.occasion_id from events.occurrences as o
      where o.user_id = e.user_id
    union select p.occasion_type || '/' || p.occasion_id from users.occasion_periods as p
      where p.user_id = e.user_id
    union select unnest(e.workflows))
  where ${OF_USERS}`;

/**
 * An entry about a redelivery shows when the occurrence was due, so it stays, but no longer shows
 * whose it was. Found by the ids of all occasions the user ever had: the occurrences may already be
 * gone.
 */
const UNNAME_REDELIVERIES = `
  with workflows as materialized (
    select translate(unnest(workflows), '/', ':') as occasion from users.erasures where ${OF_USERS}
  )
  update events.operator_log as l set subject = null, detail = '{}'
  where l.id = any (array(
    select k.id from workflows cross join lateral (
      select id from events.operator_log
      where subject > occasion || ':' collate "C" and subject < occasion || ';' collate "C"
    ) as k
    union all
    select r.id from jsonb_array_elements_text(:users::jsonb) as erased(id) cross join lateral (
      select id from events.operator_log
      where subject = erased.id collate "C" and action = 'redeliverOccurrences'
    ) as r))`;

/** Waiting events for operators contain a few keys. */
const UNNAME_EVENTS = `
  update events.operations_events set body = jsonb_set(body, '{data,keys}', '[]')
  where jsonb_exists_any(body #> '{data,keys}', array(
    select key from events.occurrences where ${OF_USERS}))`;

/** Executed in this order; the users are the only parameter of each. */
const ERASE: readonly string[] = [
  COUNT_DAYS,
  NOTE_WORKFLOWS,
  UNNAME_REDELIVERIES,
  UNNAME_EVENTS,
  `insert into events.erased_occurrences
     (key_hash, occasion_type, user_id, state, reason, attempts, lateness_ms, redeliveries)
   select sha256(convert_to(key, 'UTF8')), occasion_type, user_id, state, reason, attempts,
     lateness_ms, redeliveries
   from events.occurrences where ${OF_USERS}
   on conflict (key_hash) do nothing`,
  `delete from events.attempts where occurrence_key = any (array(
     select key from events.occurrences where ${OF_USERS}))`,
  `delete from events.occurrences where ${OF_USERS}`,
  `delete from events.occasions where ${OF_USERS}`,
  `delete from events.findings where ${OF_USERS}`,
  `delete from users.history where ${OF_USERS}`,
  `delete from users.occasion_periods where ${OF_USERS}`,
  // Retention does not remove these.
  `delete from users.outbox where ${OF_USERS} and parked_at is not null`,
  // As the API does; a deletion by SQL may have left it.
  `update users.idempotency_keys set body = null, request_hash = ''
   where ${OF_USERS} and (body is not null or request_hash <> '')`,
  `update users.erasures set database_at = clock_timestamp() where ${OF_USERS}`,
];

/** For ten seconds, what Temporal was asked to delete may still be there. */
const TAKE = `
  update users.erasures set asked_at = clock_timestamp() where user_id in (
    select user_id from users.erasures
    where temporal_at is null and database_at is not null
      and (asked_at is null or asked_at < clock_timestamp() - interval '10 seconds')
    order by asked_at nulls first, deleted_at limit :limit::int
    for update skip locked)
  returning user_id as "userId",
    to_jsonb(coalesce(workflows, array['${BIRTHDAY}/' || user_id])) as workflows`;

/**
 * Ids of occasions are removed: with them, a key could be guessed from its hash. A user who was
 * deleted a second time meanwhile is not affected.
 */
const MARK_ERASED_FROM_TEMPORAL = `
  update users.erasures set temporal_at = clock_timestamp(), workflows = null
  where ${OF_USERS} and database_at is not null`;

const FIND_STATE = `
  select count(*) over ()::int as waiting,
    ${epochMs(`clock_timestamp() - deleted_at - ${interval(':eraseAfterMs')}`)} as "oldestAgeMs",
    jsonb_build_object('userId', user_id,
      'store', case when database_at is null then 'database' else 'temporal' end) as oldest
  from users.erasures where temporal_at is null and ${DUE}
  order by deleted_at limit 1`;
