/**
 * The destination's row: rate limit, pause and backpressure, one truth for all processes that
 * send. Instants are epoch ms by the database's clock.
 */
import type { Backpressure } from '../delivery/backpressure/backpressure.ts';
import { slowDownAfter, type SlowDown, type Throttled } from '../delivery/backpressure/throttle.ts';
import type { Orm } from '../platform/database/orm.ts';
import { instant, ms, queryIn, queryOf } from './sql.ts';

export function createDestination(orm: Orm) {
  const query = queryOf(orm);

  async function find(): Promise<{ readonly held: boolean; readonly slowed: boolean }> {
    const [row] = await query<{ held: boolean; slowed: boolean }>(FIND);
    return row ?? { held: true, slowed: false };
  }

  return {
    /** Whether nothing may be sent now, claimed before or not: paused, or stopped by backpressure. */
    isHeld: async (): Promise<boolean> => (await find()).held,

    /** Slows the destination, or lets it recover, for all processes, as its answers ask. */
    async applyThrottle(backpressure: Backpressure): Promise<Throttled> {
      const slows = backpressure.asks === 'stop' || backpressure.asks === 'less';
      // The row is left alone as long as all is well, however much is sent.
      if (!slows && !(await find()).slowed) return { changed: false, slowDown: null };

      return orm.em.fork().transactional(async (em) => {
        const inTransaction = queryIn(em);
        const [row] = await inTransaction<SlowDownRow>(LOCK_SLOW_DOWN);
        if (row === undefined) return { changed: false, slowDown: null };
        const before = slowDownOf(row);
        const slowDown = slowDownAfter(before, backpressure, row.now, row.maxPerSecond);
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

interface SlowDownRow extends SlowDown {
  readonly now: number;
  readonly maxPerSecond: number | null;
  readonly slowed: boolean;
}

function slowDownOf(row: SlowDownRow): SlowDown | null {
  const { slowed, since, until, perSecond, stops, changedAt, endsAt } = row;
  return slowed ? { since, until, perSecond, stops, changedAt, endsAt } : null;
}

const DESTINATION = `events.destinations as d, (select events.clock() as clock) as c
  where id = 'default'`;

const FIND = `
  select paused_at is not null or coalesce(slowed_until > clock, false) as held,
    coalesce(slowed_ends_at > clock, false) as slowed
  from ${DESTINATION}`;

/** Locked, so that what one process hears is judged by what the one before it made of it. */
const LOCK_SLOW_DOWN = `
  select ${ms('clock', 'now')}, max_per_second as "maxPerSecond",
    coalesce(slowed_ends_at > clock, false) as slowed, ${ms('slowed_since', 'since')},
    ${ms('slowed_until', 'until')}, slowed_per_second as "perSecond", slowed_stops as stops,
    ${ms('slowed_changed_at', 'changedAt')}, ${ms('slowed_ends_at', 'endsAt')}
  from ${DESTINATION}
  for update of d`;

const SAVE_SLOW_DOWN = `
  update events.destinations
  set slowed_since = ${instant(':since')}, slowed_until = ${instant(':until')},
    slowed_per_second = :perSecond, slowed_stops = :stops,
    slowed_changed_at = ${instant(':changedAt')}, slowed_ends_at = ${instant(':endsAt')}
  where id = 'default'`;

export const END_SLOW_DOWN = `
  update events.destinations
  set slowed_since = null, slowed_until = null, slowed_per_second = null, slowed_stops = null,
    slowed_changed_at = null, slowed_ends_at = null
  where id = 'default'`;

const SET_RATE_LIMIT = `
  update events.destinations
  set max_per_second = :maxPerSecond, allowance = 0, allowance_at = events.clock()
  where id = 'default' and max_per_second is distinct from :maxPerSecond`;
