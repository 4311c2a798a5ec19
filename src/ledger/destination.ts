/**
 * The destination's row: rate limit, pause and backpressure, one truth for all processes that
 * send. Instants are epoch ms by the database's clock.
 */
import type { Backpressure } from '../delivery/backpressure/backpressure.ts';
import { slowDownAfter, type SlowDown, type Throttled } from '../delivery/backpressure/throttle.ts';
import type { Orm } from '../platform/database/orm.ts';
import { epochMs, instant, ms, firstRow, queryIn, queryOf, type Query } from './sql.ts';

export interface Destination {
  readonly now: number;
  /** Since when nothing is sent; null when it is not paused. */
  readonly pausedAt: number | null;
  readonly pauseReason: string | null;
  /** The receiver asked for less (429, 503). */
  readonly slowDown: SlowDown | null;
  /** Nothing may be sent now, claimed before or not: paused, or stopped by backpressure. */
  readonly isHeld: boolean;
  readonly maxPerSecond: number | null;
}

export async function findDestination(query: Query): Promise<Destination> {
  return firstRow(await query<Destination>(FIND));
}

export function createDestination(orm: Orm) {
  const query = queryOf(orm);
  return {
    isHeld: async (): Promise<boolean> => (await findDestination(query)).isHeld,

    /** Slows the destination, or lets it recover, for all processes, as its answers ask. */
    async applyThrottle(backpressure: Backpressure): Promise<Throttled> {
      const slows = backpressure.asks === 'stop' || backpressure.asks === 'less';
      // The row is left alone as long as all is well, however much is sent.
      if (!slows && (await findDestination(query)).slowDown === null) {
        return { changed: false, slowDown: null };
      }
      return orm.em.fork().transactional(async (em) => {
        const inTransaction = queryIn(em);
        // Locked, so that each process changes what the one before it has made of the slow-down.
        const locked = firstRow(await inTransaction<Destination>(`${FIND} for update of d`));
        const { slowDown: before, now, maxPerSecond } = locked;
        const slowDown = slowDownAfter(before, backpressure, now, maxPerSecond);
        if (slowDown === null && before !== null) await inTransaction(END_SLOW_DOWN);
        if (slowDown !== null && slowDown !== before) {
          await inTransaction(SAVE_SLOW_DOWN, { ...slowDown });
        }
        return { changed: slowDown !== before, slowDown };
      });
    },

    /** Requests a second, all processes together; null for no limit. */
    async setRateLimit(maxPerSecond: number | null): Promise<void> {
      await query(SET_RATE_LIMIT, { maxPerSecond });
    },
  };
}

const FIND = `
  select ${ms('clock', 'now')}, ${ms('paused_at', 'pausedAt')}, pause_reason as "pauseReason",
    case when slowed_ends_at > clock then jsonb_build_object('since', ${epochMs('slowed_since')},
      'until', ${epochMs('slowed_until')}, 'perSecond', slowed_per_second, 'stops', slowed_stops,
      'changedAt', ${epochMs('slowed_changed_at')}, 'endsAt', ${epochMs('slowed_ends_at')})
      end as "slowDown",
    paused_at is not null or coalesce(slowed_until > clock, false) as "isHeld",
    max_per_second as "maxPerSecond"
  from events.destinations as d, (select events.clock() as clock) as c
  where id = 'default'`;

const SAVE_SLOW_DOWN = `
  update events.destinations
  set slowed_since = ${instant(':since')}, slowed_until = ${instant(':until')},
    slowed_per_second = :perSecond, slowed_stops = :stops,
    slowed_changed_at = ${instant(':changedAt')}, slowed_ends_at = ${instant(':endsAt')}
  where id = 'default'`;

/** What recovery sets. */
export const NOT_SLOWED = `slowed_since = null, slowed_until = null, slowed_per_second = null,
    slowed_stops = null, slowed_changed_at = null, slowed_ends_at = null`;

const END_SLOW_DOWN = `update events.destinations set ${NOT_SLOWED} where id = 'default'`;

const SET_RATE_LIMIT = `
  update events.destinations
  set max_per_second = :maxPerSecond, allowance = 0, allowance_at = events.clock()
  where id = 'default' and max_per_second is distinct from :maxPerSecond`;
