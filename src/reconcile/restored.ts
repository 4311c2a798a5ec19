import { instant, ms, queryIn, queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { createForgetting } from './forget-wakes.ts';

export interface RestoreRequest {
  /** The state that the restored store is at: epoch ms, by its server's clock. */
  readonly backupTakenAt: number;
  /** Why deliveries are paused, for an operator. */
  readonly pauseReason: string;
}

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
 * Notes that one of the two stores was restored to an earlier state. If the database's last change
 * is older than the backup, it is the database: workflows may have heard of more than it knows, so
 * that all of them are notified again. Else it is Temporal's store: those are notified that were
 * planned or looked at since. Deliveries are paused first. Safe to repeat.
 */
export async function noteRestore(
  orm: Orm,
  { backupTakenAt, pauseReason }: RestoreRequest,
): Promise<Restored> {
  const query = queryOf(orm);
  await query(PAUSE, { reason: pauseReason });
  const [found] = await query<Pick<Restored, 'knowsUntil' | 'due'>>(FIND);
  const { knowsUntil = null, due = 0 } = found ?? {};
  const isDatabase = knowsUntil === null || knowsUntil <= backupTakenAt + CLOCKS_MS;
  const since = backupTakenAt - MARGIN_MS;
  await orm.em.fork().transactional(async (em) => {
    const run = queryIn(em);
    await run(COMPARE_AGAIN);
    await run(LOOK_FOR_ERASED_AGAIN, { since: isDatabase ? 0 : since });
    if (isDatabase) await run(LEAP, { revisions: REVISIONS });
  });
  const forgotten = await createForgetting(orm).forget(isDatabase ? null : since);
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

/** An older Temporal has workflows again of users who were erased from it since. */
const LOOK_FOR_ERASED_AGAIN = `
  update users.erasures set temporal_at = null, asked_at = null
  where temporal_at >= ${instant(':since')}`;

/** Revisions after the backup were given out already: an ETag of then is to match nothing. */
const LEAP = `update users.users set revision = revision + :revisions::int`;
