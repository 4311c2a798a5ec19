/** What the reconciler does to events.occasions: it has workflows notified again, or asked to end. */

const NOW = '(select events.clock())';
const ago = (span: string): string => `(select events.clock() - interval '${span}')`;

/** The notifier then notifies the workflow, which it starts if there is none. */
const FORGET = `
  notified_wake_at = null, notify_after = null, version = o.version + 1`;

const GIVEN = `jsonb_to_recordset(:occasions::jsonb) as given (type text, id uuid)`;

/** Locked in the order in which everybody locks occasions. */
const those = (condition: string): string => `
  those as materialized (
    select o.type, o.id from ${GIVEN}
    join events.occasions as o on o.type = given.type and o.id = given.id
    where ${condition}
    order by o.type, o.id for update of o
  )`;

/**
 * Parameter: occasions. Those that no workflow has looked at for longer than deliver waits between
 * two looks.
 */
export const FORGET_WAKES_OF = `
  with ${those(`o.ended_at is null
    and (o.looked_at is null or o.looked_at < ${ago('20 minutes')})`)}
  update events.occasions as o set ${FORGET}
  from those where o.type = those.type and o.id = those.id`;

/** Parameter: occasions. The same of all of them, counted. */
export const NOTIFY_AGAIN = `
  with ${those('o.ended_at is null')}
  update events.occasions as o set ${FORGET}, reconciled = o.reconciled + 1
  from those where o.type = those.type and o.id = those.id`;

/** Parameter: occasions. */
export const FORGET_TRIES = `
  with ${those('o.reconciled > 0')}
  update events.occasions as o set reconciled = 0, version = o.version + 1
  from those where o.type = those.type and o.id = those.id`;

/** Parameter: occasions. Asked once more: the notifier never starts what has ended. */
export const ASK_TO_END_AGAIN = `
  with ${those('o.ended_at is not null')}
  update events.occasions as o set end_notified_at = null, version = o.version + 1
  from those where o.type = those.type and o.id = those.id`;

/**
 * A page of all occasions, in order. A call of deliver that a workflow of the other store made
 * before writes nothing from now on. Parameters: type and id after which, size of the page. Gives
 * the last of it and how many wakes were forgotten; no row when there is no page.
 *
 * @param condition SQL for which occasions `o` are meant
 */
const forgetPage = (condition: string): string => `
  with page as materialized (
    select type, id from events.occasions
    where (type, id) > (:type, :id::uuid)
    order by type, id limit :page::int for update
  ),
  forgotten as (
    update events.occasions as o
    set ${FORGET}, reconciled = 0, called_at = ${NOW},
      end_notified_at = case when o.ended_at is null then o.end_notified_at end
    from page where o.type = page.type and o.id = page.id
      and (o.notified_wake_at is not null or o.end_notified_at is not null) and (${condition})
    returning o.id
  )
  select type, id, (select count(*) from forgotten)::int as count
  from page order by type desc, id desc limit 1`;

/** Parameters: type, id, page. */
export const FORGET_ALL = forgetPage('o.ended_at is null');

/**
 * Parameters: type, id, page, since (epoch ms). What was planned, looked at, or ended since: an
 * older Temporal knows nothing of it.
 */
export const FORGET_SINCE = forgetPage(`
  greatest(o.planned_at, o.looked_at, o.ended_at) >= to_timestamp(:since::float8 / 1000)`);

/**
 * Parameter: store. Another one than before has none of the workflows, so that all wakes are to be
 * forgotten, from the first occasion on.
 */
export const REMEMBER_STORE = `
  update events.reconciler as r
  set store_id = :store,
    forget_after = case when r.store_id is null then r.forget_after else '' end,
    temporal_back_at = case when r.store_id is null then r.temporal_back_at else ${NOW} end
  where r.store_id is distinct from :store
  returning forget_after is not null as "isLost"`;

/** Parameter: gapMs. Without a look for so long, Temporal was away, or nobody did its work. */
export const NOTE_RETURN = `
  update events.reconciler set temporal_back_at = ${NOW}
  where temporal_back_at is null or workflows_looked_at is null
    or workflows_looked_at < ${NOW} - :gapMs::float8 * interval '1 millisecond'`;

export const FIND_PLACE = `
  select forget_after as place from events.reconciler where forget_after is not null`;

/** Parameters: place, next (null at the end). Unless another store was lost meanwhile. */
export const MOVE_PLACE = `
  update events.reconciler set forget_after = :next::text where forget_after = :place`;

const UNWATCHED_FOR = '2 hours';

/** Those that should have woken by then, whether they were notified or not, and have not looked. */
const UNWATCHED = `o.ended_at is null
  and (o.looked_at is null or o.looked_at < ${ago(UNWATCHED_FOR)})
  and (select temporal_back_at from events.reconciler) < ${ago(UNWATCHED_FOR)}`;

const FINDING = `o.type || '/' || o.id as subject, o.type, o.id, o.user_id as "userId",
  (extract(epoch from o.wake_due_at) * 1000)::float8 as "dueAt", o.reconciled`;

/** Parameter: limit. */
export const FIND_UNWATCHED = `
  select * from (
    select ${FINDING} from events.occasions as o
    where o.notified_wake_at < ${ago(UNWATCHED_FOR)} and ${UNWATCHED}
    union all
    select ${FINDING} from events.occasions as o
    where o.notified_wake_at is null and o.wake_at < ${ago(UNWATCHED_FOR)} and ${UNWATCHED}
  ) as unwatched
  order by "dueAt" nulls last, subject limit :limit::int`;

/** Parameter: occasions. Which of these are unwatched. */
export const STILL_UNWATCHED = `
  select ${FINDING} from ${GIVEN}
  join events.occasions as o on o.type = given.type and o.id = given.id
  where coalesce(o.notified_wake_at, o.wake_at) < ${ago(UNWATCHED_FOR)} and ${UNWATCHED}`;

/** Parameter: occasions. Which of these the notifier has yet to notify. */
export const STILL_TO_NOTIFY = `
  select o.type || '/' || o.id as subject from ${GIVEN}
  join events.occasions as o on o.type = given.type and o.id = given.id
  where o.ended_at is null and o.notified_wake_at is null`;

/** Parameters: type, id, page. Occasions whose workflows should run, in order. */
export const PAGE_OF_NOTIFIED = `
  select o.type, o.id, o.user_id as "userId",
    (extract(epoch from o.wake_due_at) * 1000)::float8 as "dueAt"
  from events.occasions as o
  where (o.type, o.id) > (:type, :id::uuid) and o.ended_at is null
    and o.notified_wake_at is not null
  order by o.type, o.id limit :page::int`;

/**
 * Parameter: occasions, of workflows that run. Those that have none: `isKnown` for what ended more
 * than an hour ago, by when its workflow was asked to end.
 */
export const FIND_STRAYS = `
  select given.type, given.id, o.type is not null as "isKnown" from ${GIVEN}
  left join events.occasions as o on o.type = given.type and o.id = given.id
  where case when o.type is null
    then not exists (select from users.occasion_inputs as i
      where i.occasion_type = given.type and i.occasion_id = given.id)
    else o.end_notified_at < ${ago('1 hour')} end`;
