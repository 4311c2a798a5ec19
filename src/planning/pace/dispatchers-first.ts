import { firstRow, queryOf } from '../../ledger/sql.ts';
import type { Orm } from '../../platform/database/orm.ts';

/** Enough for 100,000. What takes longer may take hours, as behind a rate limit. */
const MOST_MS = 5 * 60_000;

/** How long to wait before checking again, in ms. */
export const LEFT_TO_DISPATCHERS_MS = 500;

/**
 * For work that can wait: tells whether it should wait now, because dispatchers are sending a herd
 * and the two would slow each other down. At most for five minutes, counted for each caller.
 */
export function createDispatchersFirst(orm: Orm, mostMs = MOST_MS): () => Promise<boolean> {
  let busySince: number | null = null;
  return async () => {
    if (!(await areDispatchersBusy(orm))) {
      busySince = null;
      return false;
    }
    busySince ??= performance.now();
    return performance.now() - busySince < mostMs;
  };
}

/** First attempts at one instant that keep dispatchers busy for a while. */
const HERD = 100;

/**
 * Whether a dispatcher has lately had all its slots in use, or has a herd ahead: work begun now
 * would still be in progress at its instant. A stamp from the future does not count.
 */
export async function areDispatchersBusy(orm: Orm): Promise<boolean> {
  const rows = await queryOf(orm)<{ busy: boolean }>(`
    with clock as materialized (select events.clock() as now),
    alive as materialized (
      select busy_at > now - interval '5 seconds' and busy_at <= now as is_busy
      from events.dispatchers, clock
      where stamped_at > now - interval '5 seconds' and stamped_at <= now
    ), herd as (
      select from events.destinations as d cross join lateral (
        select from events.occurrences
        where (destination, priority, next_attempt_at)
            > (d.id, 0, (select now from clock) - interval '10 seconds')
          and (destination, priority, next_attempt_at)
            <= (d.id, 0, (select now from clock) + interval '3 seconds')
          and next_attempt_at is not null and lease_until is null
        order by destination, priority, next_attempt_at limit ${HERD}) as due
      limit ${HERD}
    )
    select exists (select from alive)
      and (exists (select from alive where is_busy) or (select count(*) = ${HERD} from herd)) as busy`);
  return firstRow(rows).busy;
}
