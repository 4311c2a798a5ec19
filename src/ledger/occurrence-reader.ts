import type { Orm } from '../platform/database/orm.ts';
import { explainOccurrence } from '../time/explain.ts';
import { whyUnplannable } from '../time/occurrence.ts';
import type { LeapDayPolicy, Recurrence } from '../time/recurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { OccurrenceErasedError, OccurrenceNotFoundError } from './errors.ts';
import {
  AFTER,
  conditionsOf,
  type OccurrenceFilter,
  type OccurrencePlace,
} from './occurrence-filter.ts';
import { isOccurrenceKey } from './occurrence-key.ts';
import { claimableAt, instant, isFree, isOpen, literal, ms, queryOf, shownState } from './sql.ts';
import type { KeptAttempt, OccurrenceState, PlannedRow } from './types.ts';

/** Fields of the plan that only the record of an occurrence shows. */
type OfRecord =
  | 'recurrence'
  | 'rrule'
  | 'date'
  | 'offsetDays'
  | 'localTime'
  | 'leapDayPolicy'
  | 'supersededAt';

/** A row without its attempts, as listed on a page. No names. Instants are epoch ms. */
export interface OccurrenceSummary extends Omit<PlannedRow, OfRecord | 'inputsAt' | 'rulesId'> {
  readonly status: OccurrenceState;
  /** Why it FAILED or was SKIPPED. */
  readonly reason: string | null;
  /** All attempts that were made, including those that are no longer kept. */
  readonly attemptCount: number;
  readonly firstAttemptAt: number | null;
  /**
   * Set while it waits for its instant or a retry; null while it is being sent, or waits for a
   * plan.
   */
  readonly nextAttemptAt: number | null;
  /** When it became COMPLETED, FAILED or SKIPPED. */
  readonly settledAt: number | null;
  readonly deliveredAt: number | null;
  readonly latenessMs: number | null;
  /** Null until it is delivered. */
  readonly late: boolean | null;
  /** How often it was sent again on request. */
  readonly redeliveries: number;
  /** Its inputs have changed since it was planned, and the new plan is not made yet. */
  readonly replanning: boolean;
}

/** Everything that is kept of an occurrence, with how its instant was found. */
export interface OccurrenceRecord extends OccurrenceSummary, Pick<PlannedRow, OfRecord> {
  readonly plannedAt: number;
  readonly redeliveredAt: number | null;
  /** The request that the last redelivery came from. */
  readonly redeliveryId: string | null;
  /** When it was last sent again although it had been delivered. */
  readonly forcedAt: number | null;
  /** In order, those that are still kept. */
  readonly attempts: readonly (KeptAttempt & { readonly number: number })[];
  /**
   * Such as `+13:45`. Null, with the explanation, when the current tz database gives another
   * instant.
   */
  readonly utcOffset: string | null;
  readonly explanation: string | null;
}

type OccurrenceRow = Omit<OccurrenceRecord, 'utcOffset' | 'explanation'>;

export type OccurrenceReader = ReturnType<typeof createOccurrenceReader>;

/**
 * Reads the ledger for the API.
 *
 * @param settings.lateAfterMs a delivery counts as late beyond this
 */
export function createOccurrenceReader(
  orm: Orm,
  { lateAfterMs, tz }: { readonly lateAfterMs: number; readonly tz: TzDatabase },
) {
  const query = queryOf(orm);
  return {
    /** A page of a user's occurrences, the latest due instant first, after those without one. */
    async findOfUser(userId: string, after: OccurrencePlace | null, limit: number) {
      const place = { afterDueAt: after?.dueAt ?? null, afterKey: after?.key ?? null };
      // One more than requested, to see whether there is a next page.
      const rows = await query<OccurrenceRow>(OF_USER, {
        lateAfterMs,
        userId,
        ...place,
        limit: limit + 1,
      });
      const occurrences = rows.slice(0, limit).map((row) => explain(row, tz));
      return { occurrences, nextAfter: rows.length > limit ? placeOf(occurrences) : null };
    },

    /**
     * Returns the occurrence of a user that is planned next or being sent; null before the first
     * plan. A redelivery does not count as the next occurrence, unless there is no other.
     */
    async findNextOfUser(userId: string): Promise<OccurrenceRecord | null> {
      const [planned] = await query<OccurrenceRow>(NEXT_OF_USER, { lateAfterMs, userId });
      if (planned !== undefined) return explain(planned, tz);
      const [redelivered] = await query<OccurrenceRow>(REDELIVERED_OF_USER, {
        lateAfterMs,
        userId,
      });
      return redelivered === undefined ? null : explain(redelivered, tz);
    },

    /**
     * Returns a page by due instant and key, those without an instant last, and the place after
     * which the next one begins. Only a row that is moved meanwhile can be missed or seen twice.
     */
    async findPage(filter: OccurrenceFilter, after: OccurrencePlace | null, limit: number) {
      const place = { afterDueAt: after?.dueAt ?? null, afterKey: after?.key ?? '' };
      const find = (where: string, most: number) =>
        query<OccurrenceSummary>(pageSql(where, filter, most), {
          ...filter,
          lateAfterMs,
          ...place,
        });
      // One more than requested, to see whether there is a next page.
      const wanted = limit + 1;
      const from = after === null ? WITH_INSTANT : AFTER;
      const found = after?.dueAt === null ? [] : await find(from, wanted);
      // What may be claimed has an instant.
      const isClaimable = filter.status === 'PROCESSING' || filter.due === true;
      if (found.length < wanted && !isClaimable) {
        found.push(...(await find(WITHOUT_INSTANT, wanted - found.length)));
      }
      const occurrences = found.slice(0, limit);
      return { occurrences, nextAfter: found.length > limit ? placeOf(occurrences) : null };
    },

    /**
     * @throws OccurrenceErasedError if it was erased with its user
     * @throws OccurrenceNotFoundError also for text that cannot be a key
     */
    async get(key: string): Promise<OccurrenceRecord> {
      if (!isOccurrenceKey(key)) throw new OccurrenceNotFoundError();
      const [row] = await query<OccurrenceRow>(ONE, { lateAfterMs, key });
      if (row !== undefined) return explain(row, tz);
      const [erased] = await query<{ erasedAt: number }>(ERASED, { key });
      throw erased === undefined
        ? new OccurrenceNotFoundError()
        : new OccurrenceErasedError(erased.erasedAt);
    },
  };
}

function placeOf(page: readonly OccurrencePlace[]): OccurrencePlace | null {
  const last = page.at(-1);
  return last === undefined ? null : { dueAt: last.dueAt, key: last.key };
}

function explain(row: OccurrenceRow, tz: TzDatabase): OccurrenceRecord {
  const { nominalDate, dueAt } = row;
  if (dueAt !== null && whyUnplannable(row, tz) === null) {
    const occasion = {
      ...row,
      type: row.occasionType,
      recurrence: row.recurrence as Recurrence,
      leapDayPolicy: row.leapDayPolicy as LeapDayPolicy,
    };
    const explained = explainOccurrence(nominalDate, occasion, tz);
    const { utcOffset, explanation } = explained;
    if (explained.dueAt === dueAt) return { ...row, utcOffset, explanation };
  }
  return { ...row, utcOffset: null, explanation: null };
}

/** Rows with an instant; after a place, `AFTER`. An index scan, wherever the page begins. */
export const WITH_INSTANT = 'o.due_at is not null';
/** The few rows without one, which could not be planned. All of them follow a place with one. */
export const WITHOUT_INSTANT = `o.due_at is null and o.blocked_reason is not null
      and (:afterDueAt::float8 is not null or o.key > :afterKey)`;

export function pageSql(where: string, filter: OccurrenceFilter, limit: number): string {
  return `select ${SUMMARY} from events.occurrences as o
    where ${[where, ...conditionsOf(filter)].join(' and ')}
    order by o.due_at, o.key limit ${literal(limit)}`;
}

/** Rounded to ms: PostgreSQL keeps µs. */
const wholeMs = (column: string): string => `round(extract(epoch from ${column}) * 1000)::float8`;

const SUMMARY = `
  o.key, o.occasion_type as "occasionType", o.occasion_id as "occasionId", o.user_id as "userId",
  o.nominal_date as "nominalDate", ${shownState('o')} as status, o.reason,
  o.blocked_reason as "blockedReason", o.local_date::text as "localDate", o.timezone,
  o.tz_version as "tzVersion", ${wholeMs('o.due_at')} as "dueAt", o.attempts as "attemptCount",
  ${wholeMs('o.first_attempt_at')} as "firstAttemptAt",
  case when ${isFree('o', 'events.clock()')}
    then ${wholeMs(claimableAt('o'))} end as "nextAttemptAt",
  ${wholeMs('o.settled_at')} as "settledAt", ${wholeMs('o.delivered_at')} as "deliveredAt",
  o.lateness_ms::float8 as "latenessMs",
  o.lateness_ms > :lateAfterMs as late, o.redeliveries, o.destination,
  ${isOpen('o')} and (
    o.state = 'PENDING' and o.next_attempt_at is null and o.blocked_reason is null
    or coalesce((
      select o.inputs_at < i.changed_at - interval '1 millisecond'
      from users.occasion_inputs as i
      where i.occasion_type = o.occasion_type and i.occasion_id = o.occasion_id), true)
  ) as replanning`;

const ROW = `
  select ${SUMMARY}, o.recurrence, o.rrule, o.date::text, o.offset_days as "offsetDays",
    o.local_time as "localTime",
    o.leap_day_policy as "leapDayPolicy", ${wholeMs('o.planned_at')} as "plannedAt",
    ${wholeMs('o.superseded_at')} as "supersededAt",
    ${wholeMs('o.redelivered_at')} as "redeliveredAt", o.redelivery_id as "redeliveryId",
    ${wholeMs('o.forced_at')} as "forcedAt",
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
    and (:afterKey::text is null or (o.due_at, o.key) < (${instant(':afterDueAt')}, :afterKey)
      or case when :afterDueAt::float8 is null then o.due_at is not null or o.key < :afterKey end)
  order by o.due_at desc, o.key desc limit :limit::int`;

/** The open row of each occasion by its index, however many years of settled ones exist. */
const NEXT_OF_USER = `${ROW}
  where o.key = (
    select open.key from users.occasion_inputs as i cross join lateral (
      select t.key, t.due_at from events.occurrences as t
      where t.occasion_type = i.occasion_type and t.occasion_id = i.occasion_id and ${isOpen('t')}
      limit 1) as open
    where i.user_id = :userId order by open.due_at, open.key limit 1)`;

const REDELIVERED_OF_USER = `${ROW}
  where o.user_id = :userId and o.state = 'PENDING'
  order by o.due_at, o.key limit 1`;

const ONE = `${ROW} where o.key = :key`;

const ERASED = `
  select ${ms('erased_at', 'erasedAt')} from events.erased_occurrences
  where key_hash = sha256(convert_to(:key, 'UTF8'))`;
