/**
 * The statements of the destination's row: one truth for all dispatchers. Instants are
 * epoch ms by the database's clock. No question mark in a comment inside a statement.
 */
import { instant, interval, ms } from './delivery-ledger-sql.ts';

/** Requests a second: the usual pace, or less while it is slowed; null for no limit. */
const PER_SECOND = `least(max_per_second, case when slowed_ends_at > clock then slowed_per_second end)`;

const DESTINATION = `events.destinations as d, (select events.clock() as clock) as c
  where id = 'default'`;

export interface DestinationRow {
  /** Nothing is to be sent now. */
  readonly held: boolean;
  readonly slowed: boolean;
  readonly perSecond: number | null;
}

export const FIND_DESTINATION = `
  select paused_at is not null or coalesce(slowed_until > clock, false) as held,
    coalesce(slowed_ends_at > clock, false) as slowed, ${PER_SECOND} as "perSecond"
  from ${DESTINATION}`;

/**
 * A token bucket. It holds a tenth of a second's worth: enough for a dispatcher that looks
 * 20 times a second, too little for a burst after a quiet hour. Null without a pace.
 */
export const LOCK_DESTINATION = `
  select least(greatest(1, ${PER_SECOND} / 10),
    allowance + greatest(0, extract(epoch from clock - allowance_at)) * ${PER_SECOND}
  )::float8 as available
  from ${DESTINATION}
  for update of d`;

/** Parameter: what is left. */
export const SPEND_ALLOWANCE = `
  update events.destinations set allowance = ?, allowance_at = events.clock()
  where id = 'default'`;

/** Parameters: requests a second or null, twice. */
export const SET_PACE = `
  update events.destinations
  set max_per_second = ?, allowance = 0, allowance_at = events.clock()
  where id = 'default' and max_per_second is distinct from ?`;

/** What `slowDownAfter` goes by. */
export interface SlowDownRow {
  readonly now: number;
  readonly maxPerSecond: number | null;
  readonly slowed: boolean;
  readonly since: number;
  readonly until: number;
  readonly perSecond: number;
  readonly stops: number;
  readonly changedAt: number;
  readonly endsAt: number;
}

/** Locked, so that what one dispatcher hears is judged by what the one before it made of it. */
export const LOCK_SLOW_DOWN = `
  select ${ms('clock', 'now')}, max_per_second as "maxPerSecond",
    coalesce(slowed_ends_at > clock, false) as slowed, ${ms('slowed_since', 'since')},
    ${ms('slowed_until', 'until')}, slowed_per_second as "perSecond", slowed_stops as stops,
    ${ms('slowed_changed_at', 'changedAt')}, ${ms('slowed_ends_at', 'endsAt')}
  from ${DESTINATION}
  for update of d`;

/** Parameters: since, until, requests a second, stops, changed, ends. */
export const SAVE_SLOW_DOWN = `
  update events.destinations
  set slowed_since = ${instant('?')}, slowed_until = ${instant('?')}, slowed_per_second = ?,
    slowed_stops = ?, slowed_changed_at = ${instant('?')}, slowed_ends_at = ${instant('?')}
  where id = 'default'`;

export const END_SLOW_DOWN = `
  update events.destinations
  set slowed_since = null, slowed_until = null, slowed_per_second = null, slowed_stops = null,
    slowed_changed_at = null, slowed_ends_at = null
  where id = 'default'`;

/**
 * Parameter: ms. What was armed on time and has waited until it is later than that goes
 * behind those on time. Rows that are locked are being sent, and may stay where they are.
 */
export const PUT_BEHIND = `
  with overdue as materialized (
    select key from events.occurrences, (select events.clock() as clock) as c
    where state = 'PROCESSING' and lane = 0 and next_attempt_at <= clock
      and fire_at < clock - ${interval('?')} and sending_until is null
    for no key update of occurrences skip locked
  )
  update events.occurrences as t set lane = 1 from overdue where t.key = overdue.key`;
