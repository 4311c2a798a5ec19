/**
 * An operator's pause of deliveries, to all destinations or to one, and the waiting occurrences.
 */
import { isBlank, lengthFault, textFault } from '../platform/text.ts';
import { DEFAULT_DESTINATION } from '../platform/destination.ts';
import type { Orm } from '../platform/database/orm.ts';
import { type Destination, FIND, NOT_SLOWED } from './destination.ts';
import { DestinationNotFoundError } from './errors.ts';
import { claimableAt, firstRow, interval, isBefore, ms, requestQueryOf } from './sql.ts';

export const PAUSE_REASON_MAX = 200;

/**
 * Returns the rule that a reason for a pause breaks, in words that follow the field's name, or
 * null.
 */
export function pauseReasonFault(reason: string): string | null {
  if (isBlank(reason)) return 'must not be blank; null or leaving it out means none';
  return lengthFault(reason, PAUSE_REASON_MAX) ?? textFault(reason);
}

/** Occurrences of a destination that are past due and not settled. */
export interface WaitingDeliveries {
  /** May be claimed. */
  readonly due: number;
  /** Wait for their next attempt. */
  readonly retrying: number;
  /** Claimed, and being sent. */
  readonly sending: number;
  /** Past the late limit of their types without an attempt: will be SKIPPED, not sent. */
  readonly tooLate: number;
  /** When the first of the others passes it, unless it is attempted before; epoch ms. */
  readonly firstTooLateAt: number | null;
}

export interface DestinationState extends Destination {
  /** Dispatchers that are alive and send to it. */
  readonly dispatchers: number;
}

export type DeliveryControl = ReturnType<typeof createDeliveryControl>;

/** The installation's limits, for types that have none of their own. */
export interface LateLimits {
  /** After this, an occurrence counts as late. */
  readonly lateAfterMs: number;
  readonly lateLimitMs: number;
}

/** In each function, `destination` is the id of one destination; null for all. */
export function createDeliveryControl(orm: Orm, { lateAfterMs, lateLimitMs }: LateLimits) {
  const query = requestQueryOf(orm);

  async function findDestinations(destination: string | null = null): Promise<DestinationState[]> {
    const found = await query<DestinationState>(FIND_STATES, { destination });
    if (found.length === 0) throw new DestinationNotFoundError();
    return found;
  }

  return {
    /**
     * No process sends anything until it is resumed, as soon as each has seen the pause. Paused
     * again, it keeps the first instant; a new reason replaces the previous one.
     */
    async pause(reason: string | null, destination: string | null = null): Promise<void> {
      await query(PAUSE, { reason, destination });
    },

    /** Ends a pause, and a slow-down too: sending resumes at once. */
    async resume(destination: string | null = null): Promise<void> {
      await query(RESUME, { destination });
    },

    /** The default one first. @throws DestinationNotFoundError if there is none of this id */
    findDestinations,

    async findDestination(destination = DEFAULT_DESTINATION): Promise<DestinationState> {
      return firstRow(await findDestinations(destination));
    },

    async countWaiting(destination: string | null = null) {
      const parameters = { lateAfterMs, lateLimitMs, destination };
      const rows = await query<WaitingDeliveries & { destination: string }>(
        COUNT_WAITING,
        parameters,
      );
      const each = new Map(rows.map(({ destination: id, ...waiting }) => [id, waiting]));
      return { all: rows.reduce(added, NOTHING_WAITS), each };
    },
  };
}

export const NOTHING_WAITS: WaitingDeliveries = {
  due: 0,
  retrying: 0,
  sending: 0,
  tooLate: 0,
  firstTooLateAt: null,
};

function added(one: WaitingDeliveries, other: WaitingDeliveries): WaitingDeliveries {
  const first = Math.min(one.firstTooLateAt ?? Infinity, other.firstTooLateAt ?? Infinity);
  return {
    due: one.due + other.due,
    retrying: one.retrying + other.retrying,
    sending: one.sending + other.sending,
    tooLate: one.tooLate + other.tooLate,
    firstTooLateAt: first === Infinity ? null : first,
  };
}

const IS_MEANT = `(:destination::text is null or id = :destination::text)`;

const PAUSE = `
  update events.destinations
  set paused_at = coalesce(paused_at, events.clock()), pause_reason = coalesce(:reason, pause_reason)
  where ${IS_MEANT}`;

const RESUME = `
  update events.destinations set paused_at = null, pause_reason = null, ${NOT_SLOWED}
  where ${IS_MEANT}`;

/** Counts a dispatcher as alive by the same rule as `ownership.ts`. */
const FIND_STATES = `
  select found.*, (
    select count(*)::int from events.dispatchers as p
    where p.destination = found.id and stamped_at > events.clock() - interval '5 seconds'
      and stamped_at <= events.clock()) as dispatchers
  from (${FIND}) as found
  where ${IS_MEANT}
  order by id <> '${DEFAULT_DESTINATION}', id`;

/** The clock is read once, in a query of its own, so that an index can be used. */
const COUNT_WAITING = `
  with moment as materialized (select events.clock() as clock),
  waiting as (
    select o.destination, coalesce(lease_until > clock, false) as sending,
      coalesce(${claimableAt('o')} <= clock, false) as due, next_attempt_at > clock as retrying,
      case when attempts = earlier_attempts and redeliveries = 0
        then due_at + ${interval(`case s.when_late when 'skip' then :lateAfterMs::float8
          else coalesce(s.late_limit_ms, :lateLimitMs::float8) end`)} end as too_late_at,
      clock
    from moment, events.occurrences as o
    left join events.occasion_types as s on s.type = o.occasion_type
    where state = 'PENDING' and ${isBefore('due_at', '(select clock from moment)')}
      and (:destination::text is null or o.destination = :destination::text)
  )
  select destination, count(*) filter (where due and not sending)::int as due,
    count(*) filter (where retrying and not sending)::int as retrying,
    count(*) filter (where sending)::int as sending,
    count(*) filter (where too_late_at < clock)::int as "tooLate",
    ${ms('min(too_late_at) filter (where too_late_at >= clock)', 'firstTooLateAt')}
  from waiting group by destination`;
