import type {
  DeliveryControl,
  DestinationState,
  WaitingDeliveries,
} from '../events/delivery-control.ts';
import { ms } from './delivery-ledger-sql.ts';
import { END_SLOW_DOWN, PUT_BEHIND } from './destination-sql.ts';
import type { Orm } from './orm.ts';

export interface DeliveryControlSettings {
  /** How late a first attempt may be. */
  readonly lateLimitMs: number;
  /** What is later than this goes behind those on time. */
  readonly lateAfterMs: number;
}

/** Pause and resume on PostgreSQL, and the counts that go with them. */
export function createDeliveryControl(
  orm: Orm,
  settings: DeliveryControlSettings,
): DeliveryControl {
  const query = <Row extends object>(sql: string, ...params: unknown[]): Promise<Row[]> =>
    orm.em.fork().execute<Row[]>(sql, params);

  return {
    async pause(reason) {
      await query(PAUSE, reason);
    },

    async resume() {
      // Before anything is sent again: what comes due then must not wait for all that has waited.
      await query(PUT_BEHIND, settings.lateAfterMs);
      await orm.em.fork().transactional(async (em) => {
        await em.execute(RESUME);
        await em.execute(END_SLOW_DOWN);
      });
    },

    async findDestination() {
      const [row] = await query<DestinationStateRow>(FIND_STATE);
      if (row === undefined) return { pausedAt: null, pauseReason: null, slowDown: null };
      const { pausedAt, pauseReason, slowed, since, until, perSecond } = row;
      return { pausedAt, pauseReason, slowDown: slowed ? { since, until, perSecond } : null };
    },

    async countWaiting() {
      const [row] = await query<WaitingDeliveries>(COUNT_WAITING, settings.lateLimitMs);
      return row ?? { due: 0, toCome: 0, sending: 0, tooLate: 0, firstTooLateAt: null };
    },
  };
}

type DestinationStateRow = Pick<DestinationState, 'pausedAt' | 'pauseReason'> &
  NonNullable<DestinationState['slowDown']> & { readonly slowed: boolean };

/** Parameter: reason or null. */
const PAUSE = `
  update events.destinations
  set paused_at = coalesce(paused_at, events.clock()), pause_reason = coalesce(?, pause_reason)
  where id = 'default'`;

const RESUME = `
  update events.destinations set paused_at = null, pause_reason = null where id = 'default'`;

const FIND_STATE = `
  select ${ms('paused_at', 'pausedAt')}, pause_reason as "pauseReason",
    coalesce(slowed_ends_at > events.clock(), false) as slowed,
    ${ms('slowed_since', 'since')}, ${ms('slowed_until', 'until')}, slowed_per_second as "perSecond"
  from events.destinations where id = 'default'`;

/** Parameter: late limit in ms. Only the armed rows, which have an index of their own. */
const COUNT_WAITING = `
  with armed as (
    select coalesce(sending_until > clock, false) as sending, next_attempt_at <= clock as due,
      case when attempts = 0 and redelivery_id is null
        then fire_at + (?::float8 * interval '1 millisecond') end as too_late_at,
      clock
    from events.occurrences, (select events.clock() as clock) as c
    where state = 'PROCESSING' and next_attempt_at is not null
  )
  select count(*) filter (where due and not sending)::int as due,
    count(*) filter (where not due and not sending)::int as "toCome",
    count(*) filter (where sending)::int as sending,
    count(*) filter (where too_late_at < clock)::int as "tooLate",
    ${ms('min(too_late_at) filter (where too_late_at >= clock)', 'firstTooLateAt')}
  from armed`;
