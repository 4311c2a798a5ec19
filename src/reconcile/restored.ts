import { instant, ms, queryIn, queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { FORGET_WORKFLOW } from './forget-wakes.ts';

/** What a database says of itself after a restore. */
export interface Restored {
  /** The one that is at the earlier state. */
  readonly store: 'database' | 'temporal';
  /** The last change that the database knows of, epoch ms; null when it knows of none. */
  readonly knowsUntil: number | null;
  /** Workflows that are notified again. */
  readonly forgotten: number;
  /** Occurrences that go out as soon as deliveries are resumed. */
  readonly due: number;
}

/** By which the clocks of two servers may differ. */
const CLOCKS_MS = 60_000;
/** Of clocks, and of what was planned before the backup and notified after it. */
const MARGIN_MS = 3_600_000;
/** More changes than any user has between a backup and its restore. */
const REVISIONS = 100_000;

/**
 * Notes that one of the two stores was restored to an earlier state, and pauses deliveries. If the
 * database's last change is older than the backup, it is the database: workflows may have been
 * notified of more than it knows, so that all are notified again. Otherwise it is Temporal's store:
 * those are notified that were planned or looked at since. Safe to repeat.
 *
 * @param backupTakenAt the state that the store is at: epoch ms, by its server's clock
 * @param pauseReason for an operator
 */
export async function noteRestore(
  orm: Orm,
  { backupTakenAt, pauseReason }: { backupTakenAt: number; pauseReason: string },
): Promise<Restored> {
  const query = queryOf(orm);
  await query(PAUSE, { reason: pauseReason });
  const [found] = await query<Pick<Restored, 'knowsUntil' | 'due'>>(FIND);
  const { knowsUntil = null, due = 0 } = found ?? {};
  const isDatabase = knowsUntil === null || knowsUntil <= backupTakenAt + CLOCKS_MS;
  const since = isDatabase ? 0 : backupTakenAt - MARGIN_MS;
  const forgotten = await orm.em.fork().transactional(async (em) => {
    const run = queryIn(em);
    await run(COMPARE_AGAIN);
    await run(LOOK_FOR_ERASED_AGAIN, { since });
    if (isDatabase) await run(LEAP, { revisions: REVISIONS });
    const [row] = await run<{ count: number }>(FORGET_SINCE, { since });
    return row?.count ?? 0;
  });
  return { store: isDatabase ? 'database' : 'temporal', knowsUntil, forgotten, due };
}

const PAUSE = `
  update events.destinations
  set paused_at = coalesce(paused_at, events.clock()), pause_reason = :reason
  where id = 'default'`;

/** The last change is the latest of what is written with every change and every delivery. */
const FIND = `
  with known as (
    select greatest(
      (select max(occurred_at) from users.outbox),
      (select max(greatest(planned_at, looked_at)) from events.occasions),
      (select max(settled_at) from events.occurrences)) as until
  )
  select ${ms('until', 'knowsUntil')},
    (select count(*) from events.occurrences
     where priority in (0, 1) and next_attempt_at <= events.clock())::int as due
  from known`;

/** All ids are compared at once, and what no workflow has looked at is given its time anew. */
const COMPARE_AGAIN = `
  update events.reconciler set compared_at = null, temporal_back_at = events.clock()`;

/** An older Temporal again has workflows of users who were erased since. */
const LOOK_FOR_ERASED_AGAIN = `
  update users.erasures set temporal_at = null, asked_at = null
  where temporal_at >= ${instant(':since')}`;

/** Revisions after the backup were given out already: an ETag of then must match nothing. */
const LEAP = `update users.users set revision = revision + :revisions::int`;

/** An older Temporal knows nothing of what was planned, looked at or ended since. */
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
