import { queryOf } from '../ledger/sql.ts';
import type { Orm } from '../persistence/orm.ts';

/** Whether a dispatcher has lately had all its slots in use: a herd is being sent. */
export async function areDispatchersBusy(orm: Orm): Promise<boolean> {
  const [row] = await queryOf(orm)<{ busy: boolean }>(FIND_BUSY);
  return row?.busy ?? false;
}

/** A stamp from the future says nothing. */
const FIND_BUSY = `
  select exists (
    select from events.dispatchers, (select events.clock() as now) as clock
    where busy_at > now - interval '5 seconds' and busy_at <= now) as busy`;
