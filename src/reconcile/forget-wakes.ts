/** What the ledger knows of when workflows wake is forgotten, so that the notifier notifies them. */
import { queryOf } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';

/** Of `events.occasions as o`: the notifier then notifies the workflow, or starts it. */
export const FORGET_WAKE = `
  notified_wake_at = null, notify_after = null, version = o.version + 1`;

/** The same after the loss of a store: an attempt that its workflow began before writes nothing. */
export const FORGET_WORKFLOW = `${FORGET_WAKE}, called_at = (select events.clock())`;

/** SQL: locks `:occasions` for which a condition on `o` holds, in the order in which all do. */
export const lockOccasions = (condition: string): string => `
  locked as materialized (
    select o.type, o.id from jsonb_to_recordset(:occasions::jsonb) as given (type text, id uuid)
    join events.occasions as o on o.type = given.type and o.id = given.id
    where ${condition}
    order by o.type, o.id for update of o
  )`;

/** Notifies all workflows of these occasions again. */
export const NOTIFY_AGAIN = `
  with ${lockOccasions('o.ended_at is null')}
  update events.occasions as o set ${FORGET_WAKE}
  from locked where o.type = locked.type and o.id = locked.id`;

/** Updated in some 200 ms. */
const PAGE = 5_000;

/**
 * Remembers the id of the Temporal store that the workflows live in. Returns whether it is another
 * one than before; then all wakes are to be forgotten.
 */
export async function rememberStore(orm: Orm, store: string): Promise<boolean> {
  const [row] = await queryOf(orm)<{ isLost: boolean }>(REMEMBER_STORE, { store });
  return row?.isLost ?? false;
}

/**
 * Forgets the wakes of a lost store, page by page, from where it was interrupted. Returns how many.
 */
export async function forgetLostStore(orm: Orm, onPage: () => void, page = PAGE): Promise<number> {
  const query = queryOf(orm);
  let forgotten = 0;
  for (;;) {
    const [begun] = await query<{ place: string }>(FIND_PLACE);
    if (begun === undefined) return forgotten;
    const { place } = begun;
    const [type = '', id = FIRST_ID] = place === '' ? [] : place.split('/');
    const [last] = await query<OccasionRef & { count: number }>(FORGET_PAGE, { type, id, page });
    forgotten += last?.count ?? 0;
    const next = last === undefined ? null : `${last.type}/${last.id}`;
    await query(MOVE_PLACE, { place, next });
    onPage();
  }
}

const FIRST_ID = '00000000-0000-0000-0000-000000000000';

const REMEMBER_STORE = `
  update events.reconciler as r
  set store_id = :store,
    forget_after = case when r.store_id is null then r.forget_after else '' end,
    temporal_back_at = case when r.store_id is null then r.temporal_back_at
      else events.clock() end
  where r.store_id is distinct from :store
  returning forget_after is not null as "isLost"`;

const FIND_PLACE = `
  select forget_after as place from events.reconciler where forget_after is not null`;

/** Unless another store was lost meanwhile. */
const MOVE_PLACE = `
  update events.reconciler set forget_after = :next::text where forget_after = :place`;

/** Returns the last occasion of the page and how many wakes were forgotten; no row at the end. */
const FORGET_PAGE = `
  with page as materialized (
    select type, id from events.occasions
    where (type, id) > (:type, :id::uuid)
    order by type, id limit :page::int for update
  ),
  forgotten as (
    update events.occasions as o set ${FORGET_WORKFLOW}
    from page where o.type = page.type and o.id = page.id
      and o.ended_at is null and o.notified_wake_at is not null
    returning o.id
  )
  select type, id, (select count(*) from forgotten)::int as count
  from page order by type desc, id desc limit 1`;
