/** An operator's pause of all deliveries, and what waits. */
import { isBlank, lengthFault, textFault } from '../platform/text.ts';
import type { Orm } from '../platform/database/orm.ts';
import { findDestination, NOT_SLOWED } from './destination.ts';
import { interval, isBefore, ms, firstRow, requestQueryOf } from './sql.ts';

export const PAUSE_REASON_MAX = 200;

/** The rule that a reason for a pause breaks, in words that follow the field's name, or null. */
export function pauseReasonFault(reason: string): string | null {
  if (isBlank(reason)) return 'must not be blank; null or leaving it out means none';
  return lengthFault(reason, PAUSE_REASON_MAX) ?? textFault(reason);
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

export type DeliveryControl = ReturnType<typeof createDeliveryControl>;

export function createDeliveryControl(orm: Orm, { lateLimitMs }: { readonly lateLimitMs: number }) {
  const query = requestQueryOf(orm);
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
      await query(RESUME);
    },

    findDestination: () => findDestination(query),

    async countWaiting(): Promise<WaitingDeliveries> {
      return firstRow(await query<WaitingDeliveries>(COUNT_WAITING, { lateLimitMs }));
    },
  };
}

const PAUSE = `
  update events.destinations
  set paused_at = coalesce(paused_at, events.clock()), pause_reason = coalesce(:reason, pause_reason)
  where id = 'default'`;

const RESUME = `
  update events.destinations set paused_at = null, pause_reason = null, ${NOT_SLOWED}
  where id = 'default'`;

/** The clock is read once, in a query of its own, so that an index can be used. */
const COUNT_WAITING = `
  with moment as materialized (select events.clock() as clock),
  waiting as (
    select state = 'PROCESSING' and lease_until > clock as sending,
      coalesce(next_attempt_at <= clock, false) as due, next_attempt_at > clock as retrying,
      case when attempts = earlier_attempts and redeliveries = 0
        then due_at + ${interval(':lateLimitMs')} end as too_late_at,
      clock
    from events.occurrences, moment
    where state in ('PENDING', 'PROCESSING') and ${isBefore('due_at', '(select clock from moment)')}
  )
  select count(*) filter (where due and not sending)::int as due,
    count(*) filter (where retrying and not sending)::int as retrying,
    count(*) filter (where sending)::int as sending,
    count(*) filter (where too_late_at < clock)::int as "tooLate",
    ${ms('min(too_late_at) filter (where too_late_at >= clock)', 'firstTooLateAt')}
  from waiting`;
