/** A lost Temporal store, and a store that was restored to an earlier state than the other. */
import { firstRow, instant, isBefore, isFree, ms, queryIn, queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { FORGET_WAKE } from './notify-again.ts';

/** A page takes some 200 ms to update. */
const PAGE = 5_000;

/**
 * Remembers the id of the Temporal store that the workflows live in. If it has changed, all
 * workflows are notified again, page by page, resuming where it was interrupted. Returns how many.
 */
export async function forgetLostStore(
  orm: Orm,
  storeId: string,
  onPage: () => void,
  page = PAGE,
): Promise<number> {
  const query = queryOf(orm);
  await query(REMEMBER_STORE, { storeId });
  for (let forgotten = 0; ;) {
    const [done] = await query<{ count: number }>(FORGET_PAGE, { page });
    if (done === undefined) return forgotten;
    forgotten += done.count;
    onPage();
  }
}

/** The state of a database after a restore. */
export interface Restored {
  /** The store that is at the earlier state. */
  readonly store: 'database' | 'temporal';
  /** The last change that the database has, epoch ms; null if it has none. */
  readonly knowsUntil: number | null;
  /** How many workflows are notified again. */
  readonly forgotten: number;
  /** How many occurrences are sent as soon as deliveries are resumed. */
  readonly due: number;
}

/** How far the clocks of two servers may differ. */
const CLOCKS_MS = 60_000;
/** Covers clock differences, and occasions planned before the backup and notified after it. */
const MARGIN_MS = 3_600_000;

/**
 * Records that one of the two stores was restored to an earlier state, and pauses deliveries. If
 * the database's last change is older than the backup, it is the database: workflows may have been
 * notified of more than it knows, so all are notified again. Otherwise it is Temporal's store:
 * those are notified that were planned or checked since. Safe to repeat.
 *
 * @param backupTakenAt the instant whose state the store is at: epoch ms, by its server's clock
 */
export async function noteRestore(orm: Orm, backupTakenAt: number): Promise<Restored> {
  const query = queryOf(orm);
  await query(PAUSE);
  const { knowsUntil, due } = firstRow(
    await query<Pick<Restored, 'knowsUntil' | 'due'>>(FIND_STATE),
  );
  const isDatabase = knowsUntil === null || knowsUntil <= backupTakenAt + CLOCKS_MS;
  const since = isDatabase ? 0 : backupTakenAt - MARGIN_MS;
  return orm.em.fork().transactional(async (em) => {
    const run = queryIn(em);
    await run(COMPARE_AGAIN);
    await run(LOOK_FOR_ERASED_AGAIN, { since });
    if (isDatabase) for (const leap of LEAPS) await run(leap);
    const { count } = firstRow(await run<{ count: number }>(FORGET_SINCE, { since }));
    return { store: isDatabase ? 'database' : 'temporal', knowsUntil, forgotten: count, due };
  });
}

/** After a store was lost, an attempt that its workflow began before must not write anything. */
const FORGET_WORKFLOW = `${FORGET_WAKE}, called_at = (select events.clock())`;

const REMEMBER_STORE = `
  update events.reconciler as r
  set store_id = :storeId,
    forget_after = case when r.store_id is null then r.forget_after
      else '/00000000-0000-0000-0000-000000000000' end,
    temporal_back_at = case when r.store_id is null then r.temporal_back_at
      else events.clock() end
  where r.store_id is distinct from :storeId`;

/** How many wakes were forgotten, and where the next page begins; returns no row at the end. */
const FORGET_PAGE = `
  with begun as materialized (
    select split_part(forget_after, '/', 1) as type, split_part(forget_after, '/', 2)::uuid as id
    from events.reconciler where forget_after is not null for update
  ),
  page as materialized (
    select type, id from events.occasions
    where (type, id) > ((select type from begun), (select id from begun))
    order by type, id limit :page::int for update
  ),
  forgotten as (
    update events.occasions as o set ${FORGET_WORKFLOW}
    from page where o.type = page.type and o.id = page.id
      and o.ended_at is null and o.notified_wake_at is not null
    returning o.id
  ),
  moved as (
    update events.reconciler set forget_after = (
      select type || '/' || id from page order by type desc, id desc limit 1)
    where forget_after is not null
  )
  select (select count(*) from forgotten)::int as count from begun`;

const PAUSE = `
  update events.destinations
  set paused_at = coalesce(paused_at, events.clock()),
    pause_reason = 'restored: check what is waiting before you resume'`;

/** The last change is the latest of the instants written with every change and every delivery. */
const FIND_STATE = `
  with known as (
    select greatest(
      (select max(occurred_at) from users.outbox),
      (select max(greatest(planned_at, looked_at)) from events.occasions),
      (select max(settled_at) from events.occurrences)) as until
  )
  select ${ms('until', 'knowsUntil')},
    (select count(*) from events.occurrences
     where priority in (0, 1) and ${isBefore('next_attempt_at', '(select events.clock())')}
       and ${isFree('occurrences', '(select events.clock())')})::int as due
  from known`;

/** Starts a new comparison of all ids, and gives unchecked occasions their time again. */
const COMPARE_AGAIN = `
  update events.reconciler set compared_at = null, temporal_back_at = events.clock()`;

/** A restored Temporal has workflows again of users who were erased since. */
const LOOK_FOR_ERASED_AGAIN = `
  update users.erasures set temporal_at = null, asked_at = null
  where temporal_at >= ${instant(':since')}`;

/**
 * Revisions after the backup were returned already: an ETag from then must match nothing. No row
 * has more changes between a backup and its restore.
 */
const LEAPS = ['users.users', 'users.occasions', 'events.occasion_types'].map(
  (table) => `update ${table} set revision = revision + 100000`,
);

/** A restored Temporal knows nothing of what was planned, checked or ended since. */
const FORGET_SINCE = `
  with changed as materialized (
    select type, id from events.occasions
    where (notified_wake_at is not null or end_notified_at is not null)
      and (greatest(planned_at, looked_at, ended_at) >= ${instant(':since')}) is not false
    order by type, id for update
  ),
  forgotten as (
    update events.occasions as o set ${FORGET_WORKFLOW},
      end_notified_at = case when o.ended_at is null then o.end_notified_at end
    from changed where o.type = changed.type and o.id = changed.id
    returning o.id
  )
  select count(*)::int as count from forgotten`;
