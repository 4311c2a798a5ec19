import type { Orm } from '../platform/database/orm.ts';
import { explainOccurrence } from '../time/explain.ts';
import { whyUnplannable } from '../time/occurrence.ts';
import type { LeapDayPolicy } from '../time/recurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { OccurrenceNotFoundError } from './errors.ts';
import {
  every,
  occurrenceCondition,
  type OccurrenceFilter,
  type SqlCondition,
} from './occurrence-filter.ts';
import { isOccurrenceKey } from './occurrence-key.ts';
import { instant, literal, queryOf } from './sql.ts';
import type { OccurrenceState } from './types.ts';

/** Where an occurrence stands in the order of pages. */
export interface OccurrencePlace {
  readonly dueAt: number | null;
  readonly key: string;
}

/** A row without its attempts, as a page holds it. No names. Instants are epoch ms. */
export interface OccurrenceSummary extends OccurrencePlace {
  readonly occasionType: string;
  readonly occasionId: string;
  readonly userId: string;
  /** `YYYY-MM-DD`, the day that the rule names, even where it does not exist. */
  readonly nominalDate: string;
  readonly status: OccurrenceState;
  /** Why it FAILED or was SKIPPED. */
  readonly reason: string | null;
  /** Why it cannot be planned; then it has no local date and no instant. */
  readonly blockedReason: string | null;
  readonly localDate: string | null;
  readonly timezone: string;
  readonly tzVersion: string;
  /** Of all that were made, also of those that are no longer kept. */
  readonly attemptCount: number;
  readonly firstAttemptAt: number | null;
  /** While it waits for its instant or a retry; null while it is being sent, or waits for a plan. */
  readonly nextAttemptAt: number | null;
  readonly deliveredAt: number | null;
  readonly latenessMs: number | null;
  /** Null until it is delivered. */
  readonly late: boolean | null;
  /** How often it was sent again on request. */
  readonly redeliveries: number;
}

interface OccurrenceRow extends OccurrenceSummary {
  /** The date of the occasion; of a birthday, the date of birth. */
  readonly date: string;
  readonly localTime: string;
  readonly leapDayPolicy: string;
  readonly plannedAt: number;
  /** When it became COMPLETED, FAILED or SKIPPED. */
  readonly settledAt: number | null;
  /** When the next occurrence falls due, and this one is no longer sent. */
  readonly supersededAt: number | null;
  readonly redeliveredAt: number | null;
  /** When it was last sent again although it had been delivered. */
  readonly forcedAt: number | null;
  /** In order, as far as they are kept. */
  readonly attempts: readonly {
    readonly number: number;
    readonly startedAt: number;
    readonly durationMs: number;
    readonly sentBy: 'dispatcher' | 'workflow';
    readonly outcome: string;
    readonly status: number | null;
    readonly errorCode: string | null;
    readonly responseExcerpt: string | null;
  }[];
}

/** All that is kept of an occurrence, with how its instant was found. */
export interface OccurrenceRecord extends OccurrenceRow {
  /** Such as `+13:45`. Null, with the explanation, when today's tz database gives another instant. */
  readonly utcOffset: string | null;
  readonly explanation: string | null;
}

/** More than a birthday has in the longest life. */
const NEWEST = 200;

export type OccurrenceReader = ReturnType<typeof createOccurrenceReader>;

/**
 * The ledger as the API shows it.
 *
 * @param settings.lateAfterMs a delivery counts as late from here on
 */
export function createOccurrenceReader(
  orm: Orm,
  { lateAfterMs, tz }: { readonly lateAfterMs: number; readonly tz: TzDatabase },
) {
  const query = queryOf(orm);
  const find = ({ sql, parameters }: SqlCondition) => query<OccurrenceSummary>(sql, parameters);

  return {
    /** The newest occurrences of a user, and which is planned next or being sent; null before the first plan. */
    async findOfUser(userId: string) {
      const rows = await query<OccurrenceRow>(OF_USER, { lateAfterMs, userId });
      const occurrences = rows.map((row) => explain(row, tz));
      const open = occurrences
        .filter(({ status }) => status === 'PENDING' || status === 'PROCESSING')
        .toSorted((a, b) => (a.dueAt ?? Infinity) - (b.dueAt ?? Infinity));
      // What is sent again on request is not what comes next, unless nothing else does.
      const next = open.find(({ redeliveries }) => redeliveries === 0) ?? open[0] ?? null;
      return { next, occurrences };
    },

    /**
     * A page by due instant and key, what has no instant last, and the place after which the next
     * one begins. A row that is moved meanwhile can be missed or seen twice, and no other can.
     */
    async findPage(filter: OccurrenceFilter, after: OccurrencePlace | null, limit: number) {
      // One more than asked for tells whether there is a next page.
      const wanted = limit + 1;
      const found =
        after?.dueAt === null
          ? []
          : await find(pageWithInstant(filter, after, wanted, lateAfterMs));
      if (found.length < wanted) {
        const last = after?.dueAt === null ? after : null;
        const left = wanted - found.length;
        found.push(...(await find(pageWithoutInstant(filter, last, left, lateAfterMs))));
      }
      const occurrences = found.slice(0, limit);
      const { dueAt = null, key = '' } = occurrences.at(-1) ?? {};
      const nextAfter: OccurrencePlace | null = found.length > limit ? { dueAt, key } : null;
      return { occurrences, nextAfter };
    },

    /** @throws OccurrenceNotFoundError also for what cannot be a key */
    async get(key: string): Promise<OccurrenceRecord> {
      const [row] = isOccurrenceKey(key)
        ? await query<OccurrenceRow>(ONE, { lateAfterMs, key })
        : [];
      if (row === undefined) throw new OccurrenceNotFoundError();
      return explain(row, tz);
    },
  };
}

function explain(row: OccurrenceRow, tz: TzDatabase): OccurrenceRecord {
  const { date, timezone, leapDayPolicy, localTime, nominalDate, dueAt } = row;
  if (dueAt !== null && whyUnplannable({ date, timezone }, tz) === null) {
    const inputs = { timezone, localTime, leapDayPolicy: leapDayPolicy as LeapDayPolicy };
    const explained = explainOccurrence(nominalDate, inputs, tz);
    const { utcOffset, explanation } = explained;
    if (explained.dueAt === dueAt) return { ...row, utcOffset, explanation };
  }
  return { ...row, utcOffset: null, explanation: null };
}

/** A page of what has an instant: an index scan, wherever it begins. */
export function pageWithInstant(
  filter: OccurrenceFilter,
  after: OccurrencePlace | null,
  limit: number,
  lateAfterMs: number,
): SqlCondition {
  const place: SqlCondition =
    after === null
      ? { sql: 'o.due_at is not null', parameters: {} }
      : {
          sql: `(o.due_at, o.key) > (${instant(':afterDueAt')}, :afterKey)`,
          parameters: { afterDueAt: after.dueAt, afterKey: after.key },
        };
  return page(filter, place, limit, lateAfterMs);
}

/** A page of what has none, which is little: what could not be planned. */
export function pageWithoutInstant(
  filter: OccurrenceFilter,
  after: OccurrencePlace | null,
  limit: number,
  lateAfterMs: number,
): SqlCondition {
  const place = {
    sql: 'o.due_at is null and o.blocked_reason is not null and o.key > :afterKey',
    parameters: { afterKey: after?.key ?? '' },
  };
  return page(filter, place, limit, lateAfterMs);
}

function page(
  filter: OccurrenceFilter,
  place: SqlCondition,
  limit: number,
  lateAfterMs: number,
): SqlCondition {
  const { sql, parameters } = every([place, occurrenceCondition(filter, lateAfterMs)]);
  return {
    sql: `select ${SUMMARY} from events.occurrences as o where ${sql}
      order by o.due_at, o.key limit ${literal(limit)}`,
    parameters: { ...parameters, lateAfterMs },
  };
}

/** To the ms: PostgreSQL keeps µs. */
const wholeMs = (column: string): string => `round(extract(epoch from ${column}) * 1000)::float8`;

const SUMMARY = `
  o.key, o.occasion_type as "occasionType", o.occasion_id as "occasionId", o.user_id as "userId",
  o.nominal_date as "nominalDate", o.state as status, o.reason,
  o.blocked_reason as "blockedReason", o.local_date::text as "localDate", o.timezone,
  o.tz_version as "tzVersion", ${wholeMs('o.due_at')} as "dueAt", o.attempts as "attemptCount",
  ${wholeMs('o.first_attempt_at')} as "firstAttemptAt",
  case when o.state = 'PENDING' or o.lease_until <= events.clock()
    then ${wholeMs('o.next_attempt_at')} end as "nextAttemptAt",
  ${wholeMs('o.delivered_at')} as "deliveredAt", o.lateness_ms::float8 as "latenessMs",
  o.lateness_ms > :lateAfterMs as late, o.redeliveries`;

const ROW = `
  select ${SUMMARY}, o.date::text, o.local_time as "localTime",
    o.leap_day_policy as "leapDayPolicy", ${wholeMs('o.planned_at')} as "plannedAt",
    ${wholeMs('o.settled_at')} as "settledAt", ${wholeMs('o.superseded_at')} as "supersededAt",
    ${wholeMs('o.redelivered_at')} as "redeliveredAt", ${wholeMs('o.forced_at')} as "forcedAt",
    coalesce((
      select jsonb_agg(jsonb_build_object('number', a.number,
          'startedAt', ${wholeMs('a.started_at')}, 'durationMs', a.duration_ms,
          'sentBy', a.sent_by, 'outcome', a.outcome, 'status', a.status,
          'errorCode', a.error_code, 'responseExcerpt', a.response_excerpt)
        order by a.number)
      from events.attempts a where a.occurrence_key = o.key
    ), '[]') as attempts
  from events.occurrences as o`;

const OF_USER = `${ROW}
  where o.user_id = :userId
  order by o.nominal_date desc, o.occasion_type, o.key limit ${literal(NEWEST)}`;

const ONE = `${ROW} where o.key = :key`;
