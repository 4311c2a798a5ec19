/** An operator's pause of all deliveries, and what waits. */
import type { SlowDown } from '../delivery/backpressure/throttle.ts';
import { lengthFault, textFault } from '../platform/text.ts';
import type { Orm } from '../platform/database/orm.ts';
import { END_SLOW_DOWN } from './destination.ts';
import { interval, ms, queryIn, queryOf } from './sql.ts';

export const PAUSE_REASON_MAX = 200;

/** The rule that a reason for a pause breaks, in words that follow the field's name, or null. */
export function pauseReasonFault(reason: string): string | null {
  if (reason.trim() === '') return 'must not be blank; null or leaving it out means none';
  return lengthFault(reason, PAUSE_REASON_MAX) ?? textFault(reason);
}

/** How the destination is sent to. Instants are epoch ms. */
export interface DestinationState {
  /** Since when nothing is sent; null when it is not paused. */
  readonly pausedAt: number | null;
  readonly pauseReason: string | null;
  /** The receiver asked for less (429, 503). */
  readonly slowDown: Pick<SlowDown, 'since' | 'until' | 'perSecond'> | null;
}

/** Occurrences that are past due and not settled. */
export interface WaitingDeliveries {
  /** May be claimed. */
  readonly due: number;
  /** Wait for their next attempt. */
  readonly retrying: number;
  /** Claimed, and being sent. */
  readonly sending: number;
  /** Past LATE_LIMIT without an attempt: SKIPPED, not sent, when their turn comes. */
  readonly tooLate: number;
  /** When the first of the others passes it, if it is not attempted before; epoch ms. */
  readonly firstTooLateAt: number | null;
}

export interface DeliveryControlSettings {
  /** How late a first attempt may be. */
  readonly lateLimitMs: number;
}

export type DeliveryControl = ReturnType<typeof createDeliveryControl>;

export function createDeliveryControl(orm: Orm, { lateLimitMs }: DeliveryControlSettings) {
  const query = queryOf(orm);

  return {
    /**
     * Nothing is sent by any process, as soon as it has looked, until it is resumed. Paused twice,
     * it keeps the first instant; a reason takes the place of the one before.
     */
    async pause(reason: string | null): Promise<void> {
      await query(PAUSE, { reason });
    },

    /** Ends a pause, and a slow-down too: it is sent again at once. */
    async resume(): Promise<void> {
      await orm.em.fork().transactional(async (em) => {
        await queryIn(em)(RESUME);
        await queryIn(em)(END_SLOW_DOWN);
      });
    },

    async findDestination(): Promise<DestinationState> {
      const [row] = await query<DestinationStateRow>(FIND_STATE);
      if (row === undefined) return { pausedAt: null, pauseReason: null, slowDown: null };
      const { pausedAt, pauseReason, slowed, since, until, perSecond } = row;
      return { pausedAt, pauseReason, slowDown: slowed ? { since, until, perSecond } : null };
    },

    async countWaiting(): Promise<WaitingDeliveries> {
      const [row] = await query<WaitingDeliveries>(COUNT_WAITING, { lateLimitMs });
      return row ?? { due: 0, retrying: 0, sending: 0, tooLate: 0, firstTooLateAt: null };
    },
  };
}

type DestinationStateRow = Pick<DestinationState, 'pausedAt' | 'pauseReason'> &
  NonNullable<DestinationState['slowDown']> & { readonly slowed: boolean };

const PAUSE = `
  update events.destinations
  set paused_at = coalesce(paused_at, events.clock()), pause_reason = coalesce(:reason, pause_reason)
  where id = 'default'`;

const RESUME = `
  update events.destinations set paused_at = null, pause_reason = null where id = 'default'`;

const FIND_STATE = `
  select ${ms('paused_at', 'pausedAt')}, pause_reason as "pauseReason",
    coalesce(slowed_ends_at > events.clock(), false) as slowed,
    ${ms('slowed_since', 'since')}, ${ms('slowed_until', 'until')}, slowed_per_second as "perSecond"
  from events.destinations where id = 'default'`;

/** The clock in a query of its own, so that an index can be used. */
const COUNT_WAITING = `
  with moment as materialized (select events.clock() as clock),
  waiting as (
    select state = 'PROCESSING' and lease_until > clock as sending,
      coalesce(next_attempt_at <= clock, false) as due, next_attempt_at > clock as retrying,
      case when attempts = earlier_attempts and redeliveries = 0
        then due_at + ${interval(':lateLimitMs')} end as too_late_at,
      clock
    from events.occurrences, moment
    where state in ('PENDING', 'PROCESSING') and due_at <= (select clock from moment)
  )
  select count(*) filter (where due and not sending)::int as due,
    count(*) filter (where retrying and not sending)::int as retrying,
    count(*) filter (where sending)::int as sending,
    count(*) filter (where too_late_at < clock)::int as "tooLate",
    ${ms('min(too_late_at) filter (where too_late_at >= clock)', 'firstTooLateAt')}
  from waiting`;
