import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { instant, literal, queryIn } from '../ledger/sql.ts';
import type { OccasionRef, OccurrenceState } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';
import { readRules } from '../planning/rules.ts';
import type { AuditedPeriod } from './history.ts';

/** Month and day as one number: 229 is 29 February. */
export type MonthDay = number;

/** What the audit of a day looks for. Instants are epoch ms. */
export interface AuditSearch {
  readonly date: string;
  /** Due instants of the day are in it, whatever the zone: from the first until before the second. */
  readonly window: { readonly from: number; readonly until: number };
  /** Of yearly dates that may be kept on the day. */
  readonly monthDays: readonly MonthDay[];
  /** Nominal years of which all rows are read, besides those of the day and those that are open. */
  readonly years: { readonly first: number; readonly last: number };
}

export interface AuditedOccasion extends OccasionRef {
  readonly userId: string;
  /** The oldest first; none of an occasion that never was, or whose user was erased. */
  readonly periods: readonly AuditedPeriod[];
  /** When its user was deleted, as far as the history does not say so. */
  readonly deletedAt: number | null;
  readonly rows: readonly AuditRow[];
}

/** A row of the ledger, as far as it says what became of an occurrence. */
export interface AuditRow {
  readonly key: string;
  readonly userId: string;
  /** Of the audited day, by its own local date. */
  readonly isOfDay: boolean;
  readonly nominalDate: string;
  readonly state: OccurrenceState;
  readonly reason: string | null;
  readonly isBlocked: boolean;
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

/** Reads both schemas in one snapshot: a user who changes meanwhile is seen as before. */
export function readAudit<Result>(
  orm: Orm,
  work: (view: AuditView) => Promise<Result>,
): Promise<Result> {
  return orm.em.fork().transactional((em) => work(createAuditView(em)), {
    isolationLevel: 'repeatable read',
    readOnly: true,
  });
}

export type AuditView = ReturnType<typeof createAuditView>;

function createAuditView(em: SqlEntityManager) {
  const query = queryIn(em);
  const findOccasions =
    (pageOf: (monthDays: readonly MonthDay[]) => string) =>
    (search: AuditSearch, after: OccasionRef | null, limit: number) =>
      query<AuditedOccasion>(occasionsOf(pageOf(search.monthDays)), {
        date: search.date,
        ...search.window,
        firstYear: `${search.years.first}-`,
        endYear: `${search.years.last + 1}-`,
        afterType: after?.type ?? '',
        afterId: after?.id ?? BEFORE_ALL,
        limit,
      });

  return {
    findRules: () => readRules(em),

    /** The zones of all that ever had a date with this month and day. */
    async findZones(monthDay: MonthDay): Promise<string[]> {
      const rows = await query<{ timezone: string }>(FIND_ZONES, { monthDay });
      return rows.map(({ timezone }) => timezone);
    },

    /** Of users who were erased since, how many occurrences were due on the day, by state. */
    countErased: (date: string) =>
      query<{ state: OccurrenceState; count: number }>(COUNT_ERASED, { date }),

    /** A page of the occasions that ever had inputs by which the day may be theirs. */
    findCandidates: findOccasions(candidates),
    /** A page of the others that have a row of the day. */
    findOthers: findOccasions(others),
  };
}

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** As in the index history_by_day. */
const MONTH_DAY = '(extract(month from h.date) * 100 + extract(day from h.date))::int';

/** Found by month and day; all others are candidates for any day. */
const IS_YEARLY = `h.recurrence in ('birthday', 'yearly')`;

const FIND_ZONES = `
  select distinct h.timezone from users.occasion_history as h
  where ${IS_YEARLY} and ${MONTH_DAY} = :monthDay::int`;

const COUNT_ERASED = `
  select state, sum(occurrences)::int as count from events.erased_days
  where local_date = :date::date group by state`;

/** The day that a row belongs to: that of its instant, if its own is impossible for that anywhere. */
const DAY_OF_ROW = `
  case when abs(o.local_date - (o.due_at at time zone 'UTC')::date) <= 2
    then o.local_date else (o.due_at at time zone 'UTC')::date end`;

const epochMs = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8`;

/** By month and day as literals, so that the plan knows how many share them. */
const conditions = (monthDays: readonly MonthDay[]): string[] => [
  ...monthDays.map((monthDay) => `${IS_YEARLY} and ${MONTH_DAY} = ${literal(monthDay)}`),
  `not (${IS_YEARLY})`,
];

/** The first condition for the index, both for the order. */
const after = (id: string, type: string): string => `
  ${id} >= :afterId::uuid and (${id}, ${type}) > (:afterId::uuid, :afterType::text)`;

/**
 * Each month and day has its users in order in the index, so that a page of them is read and no
 * more.
 */
function candidates(monthDays: readonly MonthDay[]): string {
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
const others = (monthDays: readonly MonthDay[]): string => `
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
  'isBlocked', o.blocked_reason is not null, 'date', o.date, 'timezone', o.timezone,
  'localTime', o.local_time, 'leapDayPolicy', o.leap_day_policy, 'localDate', o.local_date,
  'dueAt', ${epochMs('o.due_at')}, 'nextAttemptAt', ${epochMs('o.next_attempt_at')},
  'attempts', o.attempts, 'earlierAttempts', o.earlier_attempts,
  'deliveredAt', ${epochMs('o.delivered_at')}, 'latenessMs', o.lateness_ms,
  'redeliveries', o.redeliveries, 'isForced', o.forced_at is not null,
  'deliveries', (select count(*) from events.attempts as a
    where a.occurrence_key = o.key and a.outcome = 'delivered')`;

const PERIOD = `
  'recurrence', h.recurrence, 'date', h.date, 'timezone', h.timezone,
  'from', ${epochMs('h.valid_from')}, 'until', ${epochMs('h.valid_until')}`;

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
