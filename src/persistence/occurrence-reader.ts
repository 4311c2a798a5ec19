import type { EventType } from '../domain/event-type.ts';
import type { OccurrenceState } from '../domain/occurrence-state.ts';
import type {
  LedgerAttempt,
  LedgerOccurrence,
  OccurrenceReader,
} from '../events/occurrence-reader.ts';
import type { Orm } from './orm.ts';

/** The ledger as the API shows it: one statement for a user's rows and their attempts. */
export function createOccurrenceReader(orm: Orm): OccurrenceReader {
  return {
    async findOfUser(userId, limit) {
      const rows = await orm.em.fork().execute<OccurrenceRow[]>(OF_USER, [userId, limit]);
      return rows.map(toOccurrence);
    },
  };
}

const OF_USER = `
  select o.key, o.event_type, o.year, o.state, o.reason, o.blocked_reason,
    o.anchor_date, o.timezone, o.local_time, o.leap_day_policy, o.tz_version, o.local_date,
    (extract(epoch from o.fire_at) * 1000)::float8 as fire_at,
    (extract(epoch from o.delivered_at) * 1000)::float8 as delivered_at,
    o.lateness_ms::float8 as lateness_ms,
    coalesce((
      select jsonb_agg(jsonb_build_object(
          'number', a.number,
          'startedAt', round(extract(epoch from a.started_at) * 1000),
          'durationMs', a.duration_ms,
          'outcome', a.outcome,
          'status', a.status,
          'errorCode', a.error_code)
        order by a.number)
      from events.attempts a where a.occurrence_key = o.key
    ), '[]') as attempts
  from events.occurrences o
  where o.user_id = ?
  order by o.year desc, o.event_type, o.key
  limit ?`;

interface OccurrenceRow {
  readonly key: string;
  readonly event_type: EventType;
  readonly year: number;
  readonly state: OccurrenceState;
  readonly reason: string | null;
  readonly blocked_reason: string | null;
  readonly anchor_date: string;
  readonly timezone: string;
  readonly local_time: string;
  readonly leap_day_policy: string;
  readonly tz_version: string;
  readonly local_date: string | null;
  readonly fire_at: number | null;
  readonly delivered_at: number | null;
  readonly lateness_ms: number | null;
  readonly attempts: readonly LedgerAttempt[];
}

function toOccurrence(row: OccurrenceRow): LedgerOccurrence {
  return {
    key: row.key,
    eventType: row.event_type,
    year: row.year,
    state: row.state,
    reason: row.reason,
    blockedReason: row.blocked_reason,
    anchorDate: row.anchor_date,
    timezone: row.timezone,
    localTime: row.local_time,
    leapDayPolicy: row.leap_day_policy,
    tzVersion: row.tz_version,
    localDate: row.local_date,
    fireAt: row.fire_at,
    // To the ms: PostgreSQL keeps µs.
    deliveredAt: row.delivered_at === null ? null : Math.round(row.delivered_at),
    latenessMs: row.lateness_ms,
    attempts: row.attempts,
  };
}
