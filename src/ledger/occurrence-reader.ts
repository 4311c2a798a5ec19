import type { Orm } from '../platform/database/orm.ts';
import {
  every,
  occurrenceCondition,
  type OccurrenceFilter,
  type SqlCondition,
} from './occurrence-filter.ts';
import { instant, literal, queryOf } from './sql.ts';
import type { OccurrenceState } from './types.ts';

/** Where an occurrence stands in the order of pages. */
export interface OccurrencePlace {
  readonly dueAt: number | null;
  readonly key: string;
}

/** A row of the ledger with its attempts. Instants are epoch ms. */
export interface LedgerOccurrence {
  readonly key: string;
  readonly occasionType: string;
  readonly occasionId: string;
  /** `YYYY-MM-DD`, the day that the rule names, even where it does not exist. */
  readonly nominalDate: string;
  readonly status: OccurrenceState;
  /** Why it FAILED or was SKIPPED. */
  readonly reason: string | null;
  /** Why it cannot be planned; then it has no local date and no instant. */
  readonly blockedReason: string | null;
  /** The date of the occasion; of a birthday, the date of birth. */
  readonly date: string;
  readonly timezone: string;
  readonly localTime: string;
  readonly leapDayPolicy: string;
  readonly tzVersion: string;
  readonly localDate: string | null;
  readonly dueAt: number | null;
  readonly deliveredAt: number | null;
  readonly latenessMs: number | null;
  /** How often it was sent again on request. */
  readonly redeliveries: number;
  readonly attempts: readonly LedgerAttempt[];
}

/** A row without its attempts, as a page holds it. No names. */
export interface OccurrenceSummary extends Omit<
  LedgerOccurrence,
  'date' | 'localTime' | 'leapDayPolicy' | 'attempts'
> {
  readonly userId: string;
  /** Of all that were made, also of those that are no longer kept. */
  readonly attemptCount: number;
  readonly firstAttemptAt: number | null;
  /** While it waits for its instant or a retry; null while it is being sent, or waits for a plan. */
  readonly nextAttemptAt: number | null;
  /** Null until it is delivered. */
  readonly late: boolean | null;
}

/** All that is kept of an occurrence. */
export interface OccurrenceRecord extends LedgerOccurrence, OccurrenceSummary {
  readonly plannedAt: number;
  /** When it became COMPLETED, FAILED or SKIPPED. */
  readonly settledAt: number | null;
  /** When the next occurrence falls due, and this one is no longer sent. */
  readonly supersededAt: number | null;
  readonly redeliveredAt: number | null;
  /** When it was last sent again although it had been delivered. */
  readonly forcedAt: number | null;
  readonly attempts: readonly (LedgerAttempt & { readonly responseExcerpt: string | null })[];
}

/** One HTTP request for an occurrence. */
export interface LedgerAttempt {
  readonly number: number;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly sentBy: 'dispatcher' | 'workflow';
  readonly outcome: string;
  readonly status: number | null;
  readonly errorCode: string | null;
}

export interface OccurrenceReaderSettings {
  /** From here on a delivery counts as late. */
  readonly lateAfterMs: number;
}

export type OccurrenceReader = ReturnType<typeof createOccurrenceReader>;

/** The ledger as the API shows it: one statement for rows and their attempts. */
export function createOccurrenceReader(orm: Orm, settings: OccurrenceReaderSettings) {
  const query = queryOf(orm);
  const find = ({ sql, parameters }: SqlCondition) => query<OccurrenceSummary>(sql, parameters);

  return {
    /** The newest occurrences of a user, at most `limit`, each with its attempts in order. */
    findOfUser: (userId: string, limit: number): Promise<readonly LedgerOccurrence[]> =>
      query<LedgerOccurrence>(`${OF_USER} limit ${literal(limit)}`, { userId }),

    /**
     * What matches, at most `limit`, ordered by due instant and key; those without an instant
     * come last. Only what comes after `after`, if given.
     */
    async findPage(
      filter: OccurrenceFilter,
      after: OccurrencePlace | null,
      limit: number,
    ): Promise<readonly OccurrenceSummary[]> {
      if (after?.dueAt === null) return find(pageWithoutInstant(filter, after, limit, settings));
      const page = await find(pageWithInstant(filter, after, limit, settings));
      const left = limit - page.length;
      if (left === 0) return page;
      return [...page, ...(await find(pageWithoutInstant(filter, null, left, settings)))];
    },

    /** One with all that is kept of it; null when there is none. */
    async find(key: string): Promise<OccurrenceRecord | null> {
      const { lateAfterMs } = settings;
      const [found] = await query<OccurrenceRecord>(ONE, { lateAfterMs, key });
      return found ?? null;
    },
  };
}

/** A page of what has an instant: an index scan, wherever it begins. */
export function pageWithInstant(
  filter: OccurrenceFilter,
  after: OccurrencePlace | null,
  limit: number,
  settings: OccurrenceReaderSettings,
): SqlCondition {
  const place: SqlCondition =
    after === null
      ? { sql: 'o.due_at is not null', parameters: {} }
      : {
          sql: `(o.due_at, o.key) > (${instant(':afterDueAt')}, :afterKey)`,
          parameters: { afterDueAt: after.dueAt, afterKey: after.key },
        };
  return page(filter, place, limit, settings);
}

/** A page of what has none, which is little: what could not be planned. */
export function pageWithoutInstant(
  filter: OccurrenceFilter,
  after: OccurrencePlace | null,
  limit: number,
  settings: OccurrenceReaderSettings,
): SqlCondition {
  const place = {
    sql: 'o.due_at is null and o.blocked_reason is not null and o.key > :afterKey',
    parameters: { afterKey: after?.key ?? '' },
  };
  return page(filter, place, limit, settings);
}

function page(
  filter: OccurrenceFilter,
  place: SqlCondition,
  limit: number,
  settings: OccurrenceReaderSettings,
): SqlCondition {
  const { sql, parameters } = every([place, occurrenceCondition(filter, settings)]);
  return {
    sql: `select ${SUMMARY} from events.occurrences as o where ${sql}
      order by o.due_at, o.key limit ${literal(limit)}`,
    parameters: { ...parameters, lateAfterMs: settings.lateAfterMs },
  };
}

/** To the ms: PostgreSQL keeps µs. */
const ms = (column: string, name: string): string =>
  `round(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

const SHOWN = `
  o.key, o.occasion_type as "occasionType", o.occasion_id as "occasionId",
  o.nominal_date as "nominalDate", o.state as status, o.reason,
  o.blocked_reason as "blockedReason", o.local_date::text as "localDate", o.timezone,
  o.tz_version as "tzVersion", ${ms('o.due_at', 'dueAt')}, ${ms('o.delivered_at', 'deliveredAt')},
  o.lateness_ms::float8 as "latenessMs", o.redeliveries`;

/** Parameter: `lateAfterMs`. */
const SUMMARY = `
  ${SHOWN}, o.user_id as "userId", o.attempts as "attemptCount",
  ${ms('o.first_attempt_at', 'firstAttemptAt')},
  case when o.state = 'PENDING' or o.lease_until <= events.clock()
    then round(extract(epoch from o.next_attempt_at) * 1000)::float8 end as "nextAttemptAt",
  o.lateness_ms > :lateAfterMs as late`;

const INPUTS = `
  o.date::text, o.local_time as "localTime", o.leap_day_policy as "leapDayPolicy"`;

const attempts = (more: string): string => `
  coalesce((
    select jsonb_agg(jsonb_build_object(
        'number', a.number,
        'startedAt', round(extract(epoch from a.started_at) * 1000),
        'durationMs', a.duration_ms,
        'sentBy', a.sent_by,
        'outcome', a.outcome,
        'status', a.status,
        'errorCode', a.error_code${more})
      order by a.number)
    from events.attempts a where a.occurrence_key = o.key
  ), '[]') as attempts`;

const OF_USER = `
  select ${SHOWN}, ${INPUTS}, ${attempts('')}
  from events.occurrences o
  where o.user_id = :userId
  order by o.nominal_date desc, o.occasion_type, o.key`;

const ONE = `
  select ${SUMMARY}, ${INPUTS}, ${ms('o.planned_at', 'plannedAt')},
    ${ms('o.settled_at', 'settledAt')}, ${ms('o.superseded_at', 'supersededAt')},
    ${ms('o.redelivered_at', 'redeliveredAt')}, ${ms('o.forced_at', 'forcedAt')},
    ${attempts(`, 'responseExcerpt', a.response_excerpt`)}
  from events.occurrences o where o.key = :key`;
