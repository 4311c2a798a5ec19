import { ms } from './delivery-ledger-sql.ts';
import type { Orm } from './orm.ts';

/** What a database that was restored is told of itself. */
export interface Restored {
  readonly users: number;
  /** Plans that workflows have to make again. */
  readonly plans: number;
  /** The last that it knows of, epoch ms; null when nobody was ever planned. */
  readonly knowsUntil: number | null;
  /** Due since then: the Daybell of before may have delivered them. */
  readonly dueSince: number;
}

/**
 * Says that either the database or Temporal is at an earlier state than the other, in one
 * transaction: deliveries are paused; everybody is to be planned again, by the reconciler; and
 * revisions leap ahead, since those after the backup were given out once already.
 */
export async function noteRestore(orm: Orm, reason: string): Promise<Restored> {
  return orm.em.fork().transactional(async (em) => {
    const [found] = await em.execute<Restored[]>(FIND);
    if (found === undefined) throw new Error('The database gave no answer.');
    await em.execute(PAUSE, [reason]);
    await em.execute(PLAN_ALL_AGAIN);
    await em.execute(LOOK_FOR_ERASED_AGAIN);
    const [leapt] = await em.execute<Pick<Restored, 'users'>[]>(LEAP);
    return { ...found, users: leapt?.users ?? 0 };
  });
}

/** More changes than any user has between a backup and its restore. */
const REVISIONS = 100_000;

/** What was known last was written last: planned, armed, or settled. */
const FIND = `
  with known as materialized (
    select max(greatest(planned_at, armed_at, settled_at)) as until from events.occurrences
  )
  select 0 as users, ${ms('known.until', 'knowsUntil')},
    (select count(*) from events.occurrences
     where state = 'PENDING' or (state = 'PROCESSING' and redelivery_id is null))::int as plans,
    (select count(*) from events.occurrences
     where state in ('PENDING', 'PROCESSING') and fire_at <= events.clock()
       and fire_at >= known.until - interval '1 day')::int as "dueSince"
  from known`;

const PAUSE = `
  update events.destinations
  set paused_at = coalesce(paused_at, events.clock()), pause_reason = ?
  where id = 'default'`;

/** As after the loss of a Temporal store: what was planned up to now has to be planned again. */
const PLAN_ALL_AGAIN = `
  update events.reconciler
  set planned_elsewhere_until = (select max(planned_at) from events.occurrences)`;

/** An older Temporal has workflows again of users who were erased from it since. */
const LOOK_FOR_ERASED_AGAIN = 'update users.erasures set temporal_at = null, asked_at = null';

const LEAP = `
  with leapt as (
    update users.users set revision = revision + ${REVISIONS} returning id
  )
  select count(*)::int as users from leapt`;
