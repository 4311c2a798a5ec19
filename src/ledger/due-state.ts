import type { Orm } from '../platform/database/orm.ts';
import { interval, queryOf } from './sql.ts';

/** Delivered until LATE_AFTER or later; given up; too late to be sent; and, open, until LATE_AFTER or later. */
export const DUE_OUTCOMES = ['on_time', 'late', 'failed', 'skipped', 'waiting', 'overdue'] as const;

export interface RecentOccurrences {
  readonly outcome: (typeof DUE_OUTCOMES)[number];
  readonly lastDay: number;
  readonly lastHour: number;
}

export interface UpcomingHour {
  /** From now to its beginning: 0 to 23. */
  readonly inHours: number;
  readonly occurrences: number;
  /** The most of them that are due in one minute. */
  readonly peak: number;
}

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

export type DueState = ReturnType<typeof createDueState>;

/**
 * What was due of late and what will be, for metrics. It reads by the indexes of due instants:
 * what was due, or will be, in 24 hours, however many users there are.
 *
 * @param settings.lateAfterMs what is delivered later than this is late
 */
export function createDueState(orm: Orm, { lateAfterMs }: { readonly lateAfterMs: number }) {
  const query = queryOf(orm);

  return {
    /** Those whose instant was in the last 24 hours, by what became of them. */
    async recent(): Promise<readonly RecentOccurrences[]> {
      const found = await query<RecentOccurrences>(RECENT, { lateAfterMs });
      return DUE_OUTCOMES.map(
        (outcome) =>
          found.find((row) => row.outcome === outcome) ?? { outcome, lastDay: 0, lastHour: 0 },
      );
    },

    /** The next 24 hours, an hour each, the first begins now; all 24 of them. */
    async upcoming(): Promise<readonly UpcomingHour[]> {
      const found = await query<UpcomingHour>(UPCOMING);
      return HOURS.map(
        (inHours) =>
          found.find((row) => row.inHours === inHours) ?? { inHours, occurrences: 0, peak: 0 },
      );
    },

    /** How long past due the oldest open one is, in ms; 0 when none is. Redeliveries aside. */
    async oldestOpenAgeMs(): Promise<number> {
      const [oldest] = await query<{ ageMs: number | null }>(OLDEST_OPEN);
      return Math.max(oldest?.ageMs ?? 0, 0);
    },
  };
}

/** What cannot change while the statement runs, so that an index can be used. */
const CLOCK = 'clock as materialized (select events.clock() as now)';
const NOW = '(select now from clock)';

/** What is deleted, suspended or dated otherwise was not due. What was delivered stays so while it is sent again. */
const RECENT = `
  with ${CLOCK}, due as (
    select due_at, case
      when delivered_at is not null and lateness_ms <= :lateAfterMs then 'on_time'
      when delivered_at is not null then 'late'
      when state = 'FAILED' then 'failed'
      when state = 'SKIPPED' then 'skipped'
      when due_at > ${NOW} - ${interval(':lateAfterMs')} then 'waiting'
      else 'overdue' end as outcome
    from events.occurrences
    where due_at > ${NOW} - interval '24 hours' and due_at <= ${NOW}
      and (state <> 'SKIPPED' or reason in ('too_late', 'superseded'))
  )
  select outcome, count(*)::int as "lastDay",
    (count(*) filter (where due_at > ${NOW} - interval '1 hour'))::int as "lastHour"
  from due group by outcome`;

/** The minutes are those of the clock: the first is of the hour that begins now. */
const UPCOMING = `
  with ${CLOCK}, minutes as (
    select floor(extract(epoch from due_at - ${NOW}) / 3600)::int as hour, count(*) as due
    from events.occurrences
    where state in ('PENDING', 'PROCESSING') and redeliveries = 0
      and due_at > ${NOW} and due_at < ${NOW} + interval '24 hours'
    group by 1, date_trunc('minute', due_at)
  )
  select hour as "inHours", sum(due)::int as occurrences, max(due)::int as peak
  from minutes group by hour`;

const OLDEST_OPEN = `
  with oldest as materialized (
    select due_at from events.occurrences
    where state in ('PENDING', 'PROCESSING') and due_at is not null and redeliveries = 0
    order by due_at limit 1
  )
  select (extract(epoch from events.clock() - due_at) * 1000)::float8 as "ageMs" from oldest`;
