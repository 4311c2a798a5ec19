import {
  DUE_OUTCOMES,
  type DueState,
  type RecentOccurrences,
  type UpcomingHour,
} from '../events/due-state.ts';
import { interval } from './delivery-ledger-sql.ts';
import type { Orm } from './orm.ts';

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

/**
 * By indexes of the instants: what is read is what was due, or will be, in 24 hours, however
 * many users there are.
 *
 * @param settings.lateAfterMs what is delivered later than this is late
 */
export function createDueState(
  orm: Orm,
  { lateAfterMs }: { readonly lateAfterMs: number },
): DueState {
  const query = <Row extends object>(sql: string, ...params: unknown[]): Promise<Row[]> =>
    orm.em.fork().execute<Row[]>(sql, params);

  return {
    async recent() {
      const found = await query<RecentOccurrences>(RECENT, lateAfterMs, lateAfterMs);
      return DUE_OUTCOMES.map(
        (outcome) =>
          found.find((row) => row.outcome === outcome) ?? { outcome, lastDay: 0, lastHour: 0 },
      );
    },

    async upcoming() {
      const found = await query<UpcomingHour>(UPCOMING);
      return HOURS.map(
        (inHours) =>
          found.find((row) => row.inHours === inHours) ?? { inHours, occurrences: 0, peak: 0 },
      );
    },

    async oldestOpenAgeMs() {
      const [oldest] = await query<{ ageMs: number | null }>(OLDEST_OPEN);
      return Math.max(oldest?.ageMs ?? 0, 0);
    },
  };
}

/** What cannot change while the statement runs, so that an index can be used. */
const CLOCK = 'clock as materialized (select events.clock() as now)';
const NOW = '(select now from clock)';

/**
 * Parameters: ms, twice. Whoever was deleted, or has no such date any more, was not due. What
 * was delivered stays so while it is sent again.
 */
const RECENT = `
  with ${CLOCK}, due as (
    select fire_at, case
      when delivered_at is not null and lateness_ms <= ? then 'on_time'
      when delivered_at is not null then 'late'
      when state = 'FAILED' then 'failed'
      when state = 'SKIPPED' then 'skipped'
      when fire_at > ${NOW} - ${interval('?')} then 'waiting'
      else 'overdue' end as outcome
    from events.occurrences
    where fire_at > ${NOW} - interval '24 hours' and fire_at <= ${NOW}
      and (state <> 'SKIPPED' or reason = 'too_late')
  )
  select outcome, count(*)::int as "lastDay",
    (count(*) filter (where fire_at > ${NOW} - interval '1 hour'))::int as "lastHour"
  from due group by outcome`;

const OPEN_NEXT_DAY = `fire_at > ${NOW} and fire_at < ${NOW} + interval '24 hours'`;

/** The minutes are those of the clock: the first is of the hour that begins now. */
const UPCOMING = `
  with ${CLOCK}, open as (
    select fire_at from events.occurrences where state = 'PENDING' and ${OPEN_NEXT_DAY}
    union all
    select fire_at from events.occurrences
    where state = 'PROCESSING' and redelivery_id is null and ${OPEN_NEXT_DAY}
  ), minutes as (
    select floor(extract(epoch from fire_at - ${NOW}) / 3600)::int as hour, count(*) as due
    from open group by 1, date_trunc('minute', fire_at)
  )
  select hour as "inHours", sum(due)::int as occurrences, max(due)::int as peak
  from minutes group by hour`;

const OLDEST_OPEN = `
  with oldest as (
    (select fire_at from events.occurrences
      where state = 'PENDING' and blocked_reason is null order by fire_at limit 1)
    union all
    (select fire_at from events.occurrences
      where state = 'PROCESSING' and redelivery_id is null order by fire_at limit 1)
  )
  select (extract(epoch from events.clock() - min(fire_at)) * 1000)::float8 as "ageMs" from oldest`;
