import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { epochMs, instant, literal, queryIn } from '../ledger/sql.ts';
import type { OccasionRef, OccurrenceState } from '../ledger/types.ts';
import { readRules } from '../planning/rules.ts';
import { DAY_MS, formatCalendarDate } from '../time/calendar-date.ts';
import type { AuditedPeriod } from './history.ts';

export interface AuditedOccasion extends OccasionRef {
  readonly userId: string;
  /** The oldest first; none of an occasion that never was, or whose user was erased. */
  readonly periods: readonly AuditedPeriod[];
  /** When its user was deleted, as far as the history does not say so. */
  readonly deletedAt: number | null;
  readonly rows: readonly AuditRow[];
}

/** A row of the ledger, as far as it says what became of an occurrence. Instants are epoch ms. */
export interface AuditRow {
  readonly key: string;
  readonly userId: string;
  /** Of the audited day, by its own local date. */
  readonly isOfDay: boolean;
  readonly nominalDate: string;
  readonly state: OccurrenceState;
  readonly reason: string | null;
  readonly isBlocked: boolean;
  readonly recurrence: string;
  readonly date: string;
  readonly timezone: string;
  readonly localTime: string;
  readonly leapDayPolicy: string;
  readonly localDate: string | null;
  readonly dueAt: number | null;
  readonly nextAttemptAt: number | null;
  readonly attempts: number;
  readonly earlierAttempts: number;
  readonly deliveredAt: number | null;
  readonly latenessMs: number | null;
  readonly redeliveries: number;
  readonly isForced: boolean;
  /** Attempts that were delivered, as far as attempts are kept. */
  readonly deliveries: number;
}

/** A page is judged in a few ms, so that the process's other work hardly waits. */
const PAGE = 1_000;

/** What an audit reads of both schemas. */
export function createAuditView(em: SqlEntityManager) {
  const query = queryIn(em);
  return {
    findRules: () => readRules(em),

    /** Of users who were erased since, how many occurrences were due on the day, by outcome. */
    countErased: (date: string) =>
      query<{ outcome: 'delivered' | 'failed' | 'skipped'; count: number }>(COUNT_ERASED, { date }),

    /**
     * Reads, page by page, the occasions that ever had inputs by which the day may be theirs, and
     * then all others that have a row of the day.
     */
    async *occasions(date: string): AsyncGenerator<AuditedOccasion, void, undefined> {
      const dayMs = Date.parse(date);
      const monthDays = monthDaysOf(date);
      for (const occasions of [candidates(monthDays), others(monthDays)]) {
        const parameters = {
          date,
          // Due instants of the day are in it, whatever the zone.
          from: dayMs - 2 * DAY_MS,
          until: dayMs + 3 * DAY_MS,
          firstYear: `${yearOf(dayBefore(date))}-`,
          endYear: `${yearOf(date) + 1}-`,
          limit: PAGE,
        };
        let after: OccasionRef | undefined = { type: '', id: BEFORE_ALL };
        while (after !== undefined) {
          const { type: afterType, id: afterId }: OccasionRef = after;
          const page: AuditedOccasion[] = await query(occasionsOf(occasions), {
            ...parameters,
            afterType,
            afterId,
          });
          yield* page;
          after = page.at(-1);
        }
      }
    },
  };
}

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/**
 * Yearly dates that may be kept on a day, each month and day as one number: its own; the day
 * before, if a zone skipped that or its clocks jumped over midnight; and 29 February.
 */
function monthDaysOf(date: string): number[] {
  const monthDays = [dayBefore(date), date].map(
    (day) => Number(day.slice(5, 7)) * 100 + Number(day.slice(8)),
  );
  return /-02-28$|-03-01$/.test(date) ? [...new Set([...monthDays, 229])] : monthDays;
}

function dayBefore(date: string): string {
  return formatCalendarDate(Date.parse(date) - DAY_MS);
}

function yearOf(date: string): number {
  return Number(date.slice(0, 4));
}

const COUNT_ERASED = `
  select case state when 'COMPLETED' then 'delivered' else lower(state) end as outcome,
    sum(occurrences)::int as count
  from events.erased_days where local_date = :date::date group by 1`;

/** The day that a row belongs to: that of its instant, if its own is impossible for that anywhere. */
const DAY_OF_ROW = `
  case when abs(o.local_date - (o.due_at at time zone 'UTC')::date) <= 2
    then o.local_date else (o.due_at at time zone 'UTC')::date end`;

const IS_YEARLY = `h.recurrence in ('birthday', 'yearly')`;

/**
 * Yearly dates by month and day, as in the index history_by_day, and as literals, so that the plan
 * knows how many share them; all others are candidates for any day.
 */
const conditions = (monthDays: readonly number[]): string[] => [
  ...monthDays.map(
    (monthDay) => `${IS_YEARLY} and
      (extract(month from h.date) * 100 + extract(day from h.date))::int = ${literal(monthDay)}`,
  ),
  `not (${IS_YEARLY})`,
];

/** The first condition for the index, both for the order. */
const after = (id: string, type: string): string => `
  ${id} >= :afterId::uuid and (${id}, ${type}) > (:afterId::uuid, :afterType::text)`;

/**
 * Each month and day has its users in order in the index, so that a page of them is read and no
 * more.
 */
function candidates(monthDays: readonly number[]): string {
  const pages = conditions(monthDays).map(
    (condition) => `
      (select distinct h.occasion_id as id, h.occasion_type as type, h.user_id
      from users.occasion_history as h
      where ${condition} and ${after('h.occasion_id', 'h.occasion_type')}
      order by 1, 2 limit :limit::int)`,
  );
  return `
    select type, id, user_id from (${pages.join(' union ')}) as candidates
    order by id, type limit :limit::int`;
}

/** By the index of due instants. */
const others = (monthDays: readonly number[]): string => `
  select o.occasion_type as type, o.occasion_id as id, min(o.user_id::text)::uuid as user_id
  from events.occurrences as o
  where o.due_at >= ${instant(':from')} and o.due_at < ${instant(':until')}
    and ${DAY_OF_ROW} = :date::date and ${after('o.occasion_id', 'o.occasion_type')}
    and not exists (
      select from users.occasion_history as h
      where h.occasion_type = o.occasion_type and h.occasion_id = o.occasion_id
        and (${conditions(monthDays).join(' or ')}))
  group by 1, 2
  order by id, type limit :limit::int`;

const ROW = `
  'key', o.key, 'userId', o.user_id, 'isOfDay', coalesce(${DAY_OF_ROW} = :date::date, false),
  'nominalDate', o.nominal_date, 'state', o.state, 'reason', o.reason,
  'isBlocked', o.blocked_reason is not null, 'recurrence', o.recurrence, 'date', o.date, 'timezone', o.timezone,
  'localTime', o.local_time, 'leapDayPolicy', o.leap_day_policy, 'localDate', o.local_date,
  'dueAt', ${epochMs('o.due_at')}, 'nextAttemptAt', ${epochMs('o.next_attempt_at')},
  'attempts', o.attempts, 'earlierAttempts', o.earlier_attempts,
  'deliveredAt', ${epochMs('o.delivered_at')}, 'latenessMs', o.lateness_ms,
  'redeliveries', o.redeliveries, 'isForced', o.forced_at is not null,
  'deliveries', (select count(*) from events.attempts as a
    where a.occurrence_key = o.key and a.outcome = 'delivered')`;

const PERIOD = `
  'recurrence', h.recurrence, 'rrule', h.rrule, 'date', h.date, 'offsetDays', h.offset_days,
  'timezone', h.timezone, 'localTime', h.local_time, 'suspended', h.suspended,
  'from', ${epochMs('h.valid_from')}, 'until', ${epochMs('h.valid_until')}`;

/** Of the rows, those of the day, those that are open, and those of the nominal years. */
const occasionsOf = (page: string): string => `
  with page as materialized (${page})
  select page.type, page.id, page.user_id as "userId",
    coalesce((select json_agg(json_build_object(${PERIOD}) order by h.position)
      from users.occasion_history as h
      where h.occasion_type = page.type and h.occasion_id = page.id), '[]') as periods,
    (select ${epochMs('e.deleted_at')} from users.erasures as e
      where e.user_id = page.user_id) as "deletedAt",
    coalesce((select json_agg(json_build_object(${ROW}))
      from events.occurrences as o
      where o.occasion_type = page.type and o.occasion_id = page.id
        and (o.nominal_date >= :firstYear and o.nominal_date < :endYear
          or ${DAY_OF_ROW} = :date::date or o.state in ('PENDING', 'PROCESSING'))), '[]') as rows
  from page order by page.id, page.type`;
