import type { Orm } from '../platform/database/orm.ts';
import { claimableAt, interval, firstRow, isBefore, isOpen, ms, queryOf } from './sql.ts';

/** Counts of the ledger at this moment. */
export interface LedgerCounts {
  /** Open, and past due or due within five minutes. */
  readonly dueSoon: number;
  /** Under a lease in force: being sent, or about to be. */
  readonly leased: number;
  /** Past due, and under no lease: may be claimed, or waits for its plan. */
  readonly backlog: number;
  readonly retrying: number;
  /** For how long the oldest open one has been due, without redeliveries; 0 when none is. */
  readonly oldestOpenAgeMs: number;
  /** FAILED. */
  readonly deadLetters: number;
  /** Planned without an instant. */
  readonly blocked: number;
}

export interface RecentOccurrences {
  /**
   * Delivered by LATE_AFTER or later; given up; too late to be sent; and, while open, before
   * LATE_AFTER or past it.
   */
  readonly outcome: 'on_time' | 'late' | 'failed' | 'skipped' | 'waiting' | 'overdue';
  readonly lastDay: number;
  readonly lastHour: number;
}

export interface UpcomingHour {
  /** From now to its beginning: 0 to 23. */
  readonly inHours: number;
  readonly occurrences: number;
  /** The most of them that fall due in one minute. */
  readonly peak: number;
}

/** What falls due in a zone on the current UTC day, by outcome. */
export interface DueToday {
  readonly timezone: string;
  readonly onTime: number;
  readonly late: number;
  readonly failed: number;
  readonly skipped: number;
  /** Due, and open: before LATE_AFTER, and past it. */
  readonly waiting: number;
  readonly overdue: number;
  readonly toCome: number;
}

/** First attempts that are late. */
export interface LateBacklog {
  readonly count: number;
  /** The lateness of the oldest of them, in ms; null when there is none. */
  readonly latenessMs: number | null;
}

export type LedgerState = ReturnType<typeof createLedgerState>;

/**
 * The ledger in numbers, for metrics. Each statement reads an index: of open rows, or of rows due
 * within 24 hours, however many users there are.
 */
export function createLedgerState(orm: Orm, { lateAfterMs }: { readonly lateAfterMs: number }) {
  const query = queryOf(orm);
  return {
    counts: async (): Promise<LedgerCounts> => firstRow(await query<LedgerCounts>(COUNTS)),

    /**
     * Occurrences that have waited longer than LATE_AFTER for their first attempt, as after
     * downtime.
     */
    lateBacklog: async (): Promise<LateBacklog> =>
      firstRow(await query<LateBacklog>(LATE_BACKLOG, { lateAfterMs })),

    /** Occurrences whose instant was in the last 24 hours, by outcome. */
    recent: () => query<RecentOccurrences>(RECENT, { lateAfterMs }),

    /** The current UTC day, by zone; `begins`, in epoch ms, is the same in all. */
    today: () => query<DueToday & { readonly begins: number }>(TODAY, { lateAfterMs }),

    /** The next 24 hours, an hour each; the first begins now. */
    upcoming: () => query<UpcomingHour>(UPCOMING),
  };
}

// Conditions written as a case or a filter, and keys as a range, make PostgreSQL choose the right
// index even before it has statistics.

/** Read once for the whole statement, so that an index can be used. */
const CLOCK = 'clock as materialized (select events.clock() as now)';
const NOW = '(select now from clock)';

const COUNTS = `
  with ${CLOCK}, open as (
    select * from events.occurrences
    where state = 'PENDING'
      and ${isBefore('due_at', `${NOW} + interval '5 minutes'`)}
  )
  select count(*)::int as "dueSoon",
    count(*) filter (where lease_until > ${NOW})::int as leased,
    count(*) filter (where due_at <= ${NOW} and coalesce(${claimableAt('open')} <= ${NOW}, true))::int
      as backlog,
    count(*) filter (where due_at <= ${NOW} and lease_until is null and next_attempt_at > ${NOW})::int
      as retrying,
    greatest(0, extract(epoch from ${NOW} - min(due_at) filter (where redeliveries = 0)) * 1000)
      ::float8 as "oldestOpenAgeMs",
    (select count(*)::int from events.occurrences where state = 'FAILED') as "deadLetters",
    (select (count(*) filter (where state = 'PENDING'))::int from events.occurrences
     where blocked_reason is not null and key > '' and key < '~') as blocked
  from open`;

/** Without redeliveries, and without attempted rows: those wait for their receiver. */
const LATE_BACKLOG = `
  with late as materialized (select events.clock() - ${interval(':lateAfterMs')} as since)
  select count(*)::int as count,
    (extract(epoch from events.clock() - min(due_at)) * 1000)::float8 as "latenessMs"
  from events.occurrences
  where state = 'PENDING' and ${isBefore('due_at', '(select since from late)')}
    and case redeliveries when 0 then attempts = earlier_attempts else false end`;

/** A deleted, suspended or re-dated occurrence was not due. */
export const WAS_DUE = `(state <> 'SKIPPED' or reason in ('too_late', 'superseded'))`;

/** A delivered occurrence counts as delivered while it is sent again. */
const OUTCOME = `case
      when delivered_at is not null and lateness_ms <= :lateAfterMs then 'on_time'
      when delivered_at is not null then 'late'
      when state = 'FAILED' then 'failed'
      when state = 'SKIPPED' then 'skipped'
      when due_at > ${NOW} then 'to_come'
      when due_at > ${NOW} - ${interval(':lateAfterMs')} then 'waiting'
      else 'overdue' end`;

const RECENT = `
  with ${CLOCK}, due as (
    select due_at, ${OUTCOME} as outcome
    from events.occurrences
    where due_at > ${NOW} - interval '24 hours' and due_at <= ${NOW} and ${WAS_DUE}
  )
  select outcome, count(due_at)::int as "lastDay",
    (count(*) filter (where due_at > ${NOW} - interval '1 hour'))::int as "lastHour"
  from unnest(array['on_time', 'late', 'failed', 'skipped', 'waiting', 'overdue']) as outcome
  left join due using (outcome) group by outcome`;

const countOf = (outcome: string): string =>
  `(count(*) filter (where outcome = '${outcome}'))::int`;

const TODAY = `
  with ${CLOCK},
  day as materialized (select date_trunc('day', now, 'UTC') as begins from clock),
  due as (
    select timezone, ${OUTCOME} as outcome
    from events.occurrences
    where due_at >= (select begins from day)
      and due_at < (select begins from day) + interval '1 day' and ${WAS_DUE}
  )
  select ${ms('begins', 'begins')}, coalesce(timezone, 'UTC') as timezone,
    ${countOf('on_time')} as "onTime", ${countOf('late')} as late, ${countOf('failed')} as failed,
    ${countOf('skipped')} as skipped, ${countOf('waiting')} as waiting,
    ${countOf('overdue')} as overdue, ${countOf('to_come')} as "toCome"
  from day left join due on true group by begins, timezone`;

/** Minutes of the clock: the first belongs to the hour that begins now. */
const UPCOMING = `
  with ${CLOCK}, minutes as (
    select floor(extract(epoch from due_at - ${NOW}) / 3600)::int as hour, count(*) as due
    from events.occurrences
    where ${isOpen('occurrences')}
      and due_at > ${NOW} and due_at < ${NOW} + interval '24 hours'
    group by 1, date_trunc('minute', due_at)
  )
  select hour as "inHours", coalesce(sum(due), 0)::int as occurrences,
    coalesce(max(due), 0)::int as peak
  from generate_series(0, 23) as hour left join minutes using (hour) group by hour order by hour`;
