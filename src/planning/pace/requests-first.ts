/** While the API answers requests slowly, background work gives way. */
import { firstRow, queryOf } from '../../ledger/sql.ts';
import type { Orm } from '../../platform/database/orm.ts';

/** The API stamps again within a second for as long as it lasts. */
const STAMPED_FOR = '2 seconds';

/** Records that requests are slow now; at most twice a second, for all API processes together. */
export function stampSlowRequests(orm: Orm): () => Promise<void> {
  const query = queryOf(orm);
  return async () => {
    await query(`
      update events.slow_requests set stamped_at = events.clock()
      where stamped_at is null or stamped_at not between
        events.clock() - interval '0.5 seconds' and events.clock()`);
  };
}

/** Whether an API process has lately recorded that its requests are slow. */
export function createRequestsFirst(orm: Orm): () => Promise<boolean> {
  const query = queryOf(orm);
  return async () => {
    const rows = await query<{ areSlow: boolean }>(`
      select coalesce(stamped_at between
        events.clock() - interval '${STAMPED_FOR}' and events.clock(), false) as "areSlow"
      from events.slow_requests`);
    return firstRow(rows).areSlow;
  };
}
