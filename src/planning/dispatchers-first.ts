import { firstRow, queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';

/** Enough for 100,000. What lasts longer may go on for hours, as behind a rate limit. */
const MOST_MS = 5 * 60_000;

/** How long to wait before asking again, in ms. */
export const LEFT_TO_DISPATCHERS_MS = 500;

/**
 * For work that can wait: says whether it is to wait now, since dispatchers send a herd, and both
 * would slow each other down. For five minutes at the most, counted by the one who asks.
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

/** Whether a dispatcher has lately had all its slots in use. A stamp from the future does not count. */
export async function areDispatchersBusy(orm: Orm): Promise<boolean> {
  const rows = await queryOf(orm)<{ busy: boolean }>(
    `select exists (
       select from events.dispatchers, (select events.clock() as now) as clock
       where busy_at > now - interval '5 seconds' and busy_at <= now) as busy`,
  );
  return firstRow(rows).busy;
}
