import type { SqlCondition } from './occurrence-filter-sql.ts';

/** To the ms: PostgreSQL keeps µs. */
const ms = (column: string, name: string): string =>
  `round(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

/** Parameter: from here on a delivery counts as late, in ms. */
const SUMMARY = `
  o.key, o.event_type as "eventType", o.user_id as "userId", o.year, o.state, o.reason,
  o.blocked_reason as "blockedReason", o.local_date::text as "localDate", o.timezone,
  ${ms('o.fire_at', 'fireAt')}, o.tz_version as "tzVersion", o.attempts as "attemptCount",
  ${ms('o.first_attempt_at', 'firstAttemptAt')},
  case when o.state = 'PROCESSING' and (o.sending_until is null or o.sending_until <= events.clock())
    then round(extract(epoch from coalesce(o.next_attempt_at, o.retry_at)) * 1000)::float8
  end as "nextAttemptAt",
  ${ms('o.delivered_at', 'deliveredAt')}, o.lateness_ms::float8 as "latenessMs",
  o.lateness_ms > ? as late`;

const FACTS = `
  o.anchor_date::text as "anchorDate", o.local_time as "localTime",
  o.leap_day_policy as "leapDayPolicy"`;

const attempts = (more: string): string => `
  coalesce((
    select jsonb_agg(jsonb_build_object(
        'number', a.number,
        'startedAt', round(extract(epoch from a.started_at) * 1000),
        'durationMs', a.duration_ms,
        'outcome', a.outcome,
        'status', a.status,
        'errorCode', a.error_code${more})
      order by a.number)
    from events.attempts a where a.occurrence_key = o.key
  ), '[]') as attempts`;

/** Parameters: user, limit. */
export const OF_USER = `
  select o.key, o.event_type as "eventType", o.year, o.state, o.reason,
    o.blocked_reason as "blockedReason", o.local_date::text as "localDate", o.timezone,
    o.tz_version as "tzVersion", ${ms('o.fire_at', 'fireAt')},
    ${ms('o.delivered_at', 'deliveredAt')}, o.lateness_ms::float8 as "latenessMs",
    ${FACTS}, ${attempts('')}
  from events.occurrences o
  where o.user_id = ?
  order by o.year desc, o.event_type, o.key
  limit ?`;

/** Parameters: lateness in ms, those of the condition, limit. */
export function pageWhere({ sql }: SqlCondition): string {
  return `select ${SUMMARY} from events.occurrences as o where ${sql}
    order by o.fire_at, o.key limit ?`;
}

/** Parameters: lateness in ms, key. */
export const ONE = `
  select ${SUMMARY}, ${FACTS}, ${ms('o.planned_at', 'plannedAt')},
    ${ms('o.rechecked_at', 'recheckedAt')}, ${ms('o.settled_at', 'settledAt')},
    o.redeliveries, ${ms('o.redelivered_at', 'redeliveredAt')}, ${ms('o.forced_at', 'forcedAt')},
    ${attempts(`, 'responseExcerpt', a.response_excerpt`)}
  from events.occurrences o where o.key = ?`;
