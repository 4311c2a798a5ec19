import { queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { ReconcileStep } from '../workflows/maintenance-contract.ts';
import { countByKind } from './findings.ts';
import { FORGET_WAKE } from './notify-again.ts';

/** Notified in a minute or two, and looked at in a few. */
const FOUND_AT_ONCE = 5_000;

/**
 * Finds occasions that no workflow has looked at for two hours after it should have, and has their
 * workflows notified: three times, five minutes apart, and from then on daily.
 */
export async function lookForUnwatched(orm: Orm): Promise<ReconcileStep> {
  const query = queryOf(orm);
  const detected = await query<{ kind: 'unwatched' }>(KEEP_UNWATCHED, { limit: FOUND_AT_ONCE });
  const repaired = await query<{ kind: 'unwatched' }>(DROP_LOOKED_AT);
  await query(NOTIFY);
  return { detected: countByKind(detected), repaired: countByKind(repaired) };
}

const ago = (span: string): string => `(select events.clock() - interval '${span}')`;

/** By an index each: of those that were notified, and of those that were not. */
const SHOULD_HAVE_WOKEN = [
  `o.notified_wake_at < ${ago('2 hours')}`,
  `o.notified_wake_at is null and o.wake_at < ${ago('2 hours')}`,
];

const IS_UNWATCHED = `o.ended_at is null
  and (o.looked_at is null or o.looked_at < ${ago('2 hours')})
  and (select temporal_back_at from events.reconciler) < ${ago('2 hours')}`;

const KEEP_UNWATCHED = `
  insert into events.findings (kind, subject, occasion_type, occasion_id, user_id, due_at, note)
  select 'unwatched', type || '/' || id, type, id, user_id, wake_due_at,
    'no workflow has looked at it since it should have woken'
  from (${SHOULD_HAVE_WOKEN.map(
    (condition) => `select o.* from events.occasions as o where ${condition} and ${IS_UNWATCHED}`,
  ).join(' union all ')}) as unwatched
  order by wake_due_at nulls last, id limit :limit::int
  on conflict do nothing
  returning kind`;

const DROP_LOOKED_AT = `
  delete from events.findings as f
  where f.kind = 'unwatched' and not exists (
    select from events.occasions as o
    where o.type = f.occasion_type and o.id = f.occasion_id
      and (${SHOULD_HAVE_WOKEN.join(' or ')}) and ${IS_UNWATCHED})
  returning f.kind`;

/** After five minutes a workflow that runs, or was started, has looked. */
const NOTIFY = `
  with due as materialized (
    select o.type, o.id, f.subject from events.findings as f
    join events.occasions as o on o.type = f.occasion_type and o.id = f.occasion_id
    where f.kind = 'unwatched' and (f.tried_at is null
      or f.tried_at < case when f.tries < 3 then ${ago('5 minutes')} else ${ago('1 day')} end)
    order by o.type, o.id for update
  ),
  notified as (
    update events.occasions as o set ${FORGET_WAKE}
    from due where o.type = due.type and o.id = due.id
  )
  update events.findings as f set tries = f.tries + 1, tried_at = events.clock()
  from due where f.kind = 'unwatched' and f.subject = due.subject`;
