import type { CatchUp, OwedLate } from '../events/catch-up.ts';
import { interval } from './delivery-ledger-sql.ts';
import type { Orm } from './orm.ts';

/**
 * What is owed late, by the database's clock and two partial indexes.
 *
 * @param settings.lateAfterMs what is later than this is late
 */
export function createCatchUp(orm: Orm, settings: { readonly lateAfterMs: number }): CatchUp {
  return {
    async findOwed() {
      const { lateAfterMs } = settings;
      const [owed] = await orm.em.fork().execute<OwedLate[]>(FIND_OWED, [lateAfterMs]);
      return owed ?? { count: 0, latenessMs: null };
    },
  };
}

/** Parameter: ms. With an attempt behind it, it is the receiver that is waited for. */
const FIND_OWED = `
  with late as materialized (select events.clock() - ${interval('?')} as since)
  select count(*)::int as count,
    (extract(epoch from events.clock() - min(fire_at)) * 1000)::float8 as "latenessMs"
  from (
    select fire_at from events.occurrences
    where state = 'PENDING' and blocked_reason is null and fire_at < (select since from late)
    union all
    select fire_at from events.occurrences
    where state = 'PROCESSING' and fire_at < (select since from late) and redelivery_id is null
      and (attempts = 0 or (attempts = 1 and sending_until is not null))
  ) as owed`;
