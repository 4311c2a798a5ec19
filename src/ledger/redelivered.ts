/** Redeliveries that only a workflow can send, because no dispatcher is alive. */
import type { Orm } from '../platform/database/orm.ts';
import { claimableAt, queryOf } from './sql.ts';
import type { OwnedOccasion } from './types.ts';

export interface RedeliveredOccurrence extends OwnedOccasion {
  readonly key: string;
  /** How many there have been so far: distinguishes this one from a later one. */
  readonly redeliveries: number;
}

export type Redelivered = ReturnType<typeof createRedelivered>;

export function createRedelivered(orm: Orm) {
  const query = queryOf(orm);
  return {
    /** Due redeliveries that their workflows have not been notified of; none while a dispatcher is alive. */
    findUnnotified: (limit: number) => query<RedeliveredOccurrence>(FIND, { limit }),

    /** Records that their workflows have been notified. */
    async markNotified(redelivered: readonly RedeliveredOccurrence[]): Promise<void> {
      if (redelivered.length === 0) return;
      await query(MARK, { redelivered: JSON.stringify(redelivered) });
    },
  };
}

/**
 * Matches the partial index `occurrences_to_plan` word for word. A dispatcher stamps itself once a
 * second; whether it is alive follows the same rule as `ownership.ts`.
 */
const FIND = `
  select key, occasion_type as type, occasion_id as id, user_id as "userId", redeliveries
  from events.occurrences as o
  where not followed and redeliveries > 0 and state = 'PENDING'
    and ${claimableAt('o')} <= events.clock()
    and not exists (select from events.dispatchers as d
      where d.destination = o.destination and stamped_at > events.clock() - interval '5 seconds' and stamped_at <= events.clock())
  order by redelivered_at, key
  limit :limit`;

const MARK = `
  with mine as materialized (
    select t.key from events.occurrences as t
    join jsonb_to_recordset(:redelivered::jsonb) as given (key text, redeliveries int)
      using (key, redeliveries)
    where t.state = 'PENDING'
    order by t.key
    for no key update of t
  )
  update events.occurrences as t set followed = true where t.key = any (array(select key from mine))`;
