/**
 * The row of a destination: rate limit, pause and backpressure, shared by all processes that send.
 * Instants are epoch ms by the database's clock.
 */
import type { Backpressure } from '../delivery/backpressure/backpressure.ts';
import { slowDownAfter, type SlowDown, type Throttled } from '../delivery/backpressure/throttle.ts';
import type { Orm } from '../platform/database/orm.ts';
import { epochMs, instant, ms, queryIn, queryOf } from './sql.ts';

export interface Destination {
  readonly id: string;
  readonly now: number;
  /** Since when nothing is sent; null when it is not paused. */
  readonly pausedAt: number | null;
  readonly pauseReason: string | null;
  /** The receiver asked to slow down (429, 503). */
  readonly slowDown: SlowDown | null;
  /** Nothing may be sent now, even if already claimed: paused, or stopped by backpressure. */
  readonly isHeld: boolean;
  readonly maxPerSecond: number | null;
}

export function createDestination(orm: Orm, id: string) {
  const query = queryOf(orm);

  /** Null before its row exists. */
  async function find(): Promise<Destination | null> {
    const [row] = await query<Destination>(FIND_ONE, { id });
    return row ?? null;
  }

  /** Creates its row, unless there is one. */
  async function register(): Promise<void> {
    await query(REGISTER, { id });
  }

  return {
    register,

    isHeld: async (): Promise<boolean> => (await find())?.isHeld ?? false,

    /** Slows the destination or lets it recover, for all processes, as its responses ask. */
    async applyThrottle(backpressure: Backpressure): Promise<Throttled> {
      const slows = backpressure.asks === 'stop' || backpressure.asks === 'less';
      // The row is not touched while all is well, however much is sent.
      if (!slows && ((await find())?.slowDown ?? null) === null) {
        return { changed: false, slowDown: null };
      }
      await register();
      return orm.em.fork().transactional(async (em) => {
        const inTransaction = queryIn(em);
        // Locked, so that each process starts from the slow-down that the one before it wrote.
        const [locked] = await inTransaction<Destination>(`${FIND_ONE} for update of d`, { id });
        if (locked === undefined) throw new Error('The destination has no row.');
        const { slowDown: before, now, maxPerSecond } = locked;
        const slowDown = slowDownAfter(before, backpressure, now, maxPerSecond);
        if (slowDown === null && before !== null) await inTransaction(END_SLOW_DOWN, { id });
        if (slowDown !== null && slowDown !== before) {
          await inTransaction(SAVE_SLOW_DOWN, { id, ...slowDown });
        }
        return { changed: slowDown !== before, slowDown };
      });
    },

    /** Requests a second, all processes together; null for no limit. */
    async setRateLimit(maxPerSecond: number | null): Promise<void> {
      await register();
      await query(SET_RATE_LIMIT, { id, maxPerSecond });
    },
  };
}

/** Parameter: `id`. */
export const REGISTER = `
  insert into events.destinations (id) values (:id) on conflict do nothing`;

/** SQL for all destinations as `Destination`. */
export const FIND = `
  select id, ${ms('clock', 'now')}, ${ms('paused_at', 'pausedAt')}, pause_reason as "pauseReason",
    case when slowed_ends_at > clock then jsonb_build_object('since', ${epochMs('slowed_since')},
      'until', ${epochMs('slowed_until')}, 'perSecond', slowed_per_second, 'stops', slowed_stops,
      'changedAt', ${epochMs('slowed_changed_at')}, 'endsAt', ${epochMs('slowed_ends_at')})
      end as "slowDown",
    paused_at is not null or coalesce(slowed_until > clock, false) as "isHeld",
    max_per_second as "maxPerSecond"
  from events.destinations as d, (select events.clock() as clock) as c`;

const FIND_ONE = `${FIND} where id = :id`;

const SAVE_SLOW_DOWN = `
  update events.destinations
  set slowed_since = ${instant(':since')}, slowed_until = ${instant(':until')},
    slowed_per_second = :perSecond, slowed_stops = :stops,
    slowed_changed_at = ${instant(':changedAt')}, slowed_ends_at = ${instant(':endsAt')}
  where id = :id`;

/** Sets a destination to not slowed. */
export const NOT_SLOWED = `slowed_since = null, slowed_until = null, slowed_per_second = null,
    slowed_stops = null, slowed_changed_at = null, slowed_ends_at = null`;

const END_SLOW_DOWN = `update events.destinations set ${NOT_SLOWED} where id = :id`;

const SET_RATE_LIMIT = `
  update events.destinations
  set max_per_second = :maxPerSecond, allowance = 0, allowance_at = events.clock()
  where id = :id and max_per_second is distinct from :maxPerSecond`;
