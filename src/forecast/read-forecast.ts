import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { instant, queryIn } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { presentRules, readRules } from '../planning/rules.ts';
import type { Series } from '../time/recurrence.ts';
import type { MonthDay, NominalDays, Window } from './window.ts';

export interface PlannedGroup {
  /** The beginning of its minute, epoch ms. */
  readonly minute: number;
  readonly timezone: string;
  readonly count: number;
}

export interface YearlyGroup {
  readonly monthDay: MonthDay;
  readonly timezone: string;
  readonly count: number;
}

/** Occasions that recur more often than yearly, or once: those that share all of this. */
export interface SeriesGroup extends Series {
  readonly timezone: string;
  /** The latest nominal date that the ledger has; null if it has none. */
  readonly plannedTo: string | null;
  readonly count: number;
}

/**
 * Reads the ledger and the users in one snapshot, so that what is planned meanwhile is
 * counted once.
 */
export function readForecast<Result>(
  orm: Orm,
  work: (view: ForecastView) => Promise<Result>,
): Promise<Result> {
  return orm.em.fork().transactional((em) => work(createForecastView(em)), {
    isolationLevel: 'repeatable read',
    readOnly: true,
  });
}

type ForecastView = ReturnType<typeof createForecastView>;

function createForecastView(em: SqlEntityManager) {
  const query = queryIn(em);
  return {
    findRules: async () => presentRules(await readRules(em)),

    /** What the ledger has planned or under way in a window. */
    findPlanned: ({ from, until }: Window) => query<PlannedGroup>(FIND_PLANNED, { from, until }),

    /**
     * Yearly occasions of some days whose occurrence of a nominal year the ledger does not have:
     * counted by day and zone, never one by one.
     */
    countYearly: ({ year, monthDays }: NominalDays) =>
      query<YearlyGroup>(COUNT_YEARLY, {
        year,
        // Nominal dates of one year, in their order as text.
        firstDate: `${year}-`,
        endDate: `${year + 1}-`,
        monthDays: JSON.stringify(monthDays),
      }),

    /** All other occasions, counted by what they share. */
    countSeries: () => query<SeriesGroup>(COUNT_SERIES),
  };
}

/**
 * By the index of due instants. A redelivery is not counted: it is due now, and its occurrence
 * was settled before.
 */
const FIND_PLANNED = `
  select (extract(epoch from date_trunc('minute', due_at)) * 1000)::float8 as minute, timezone,
    count(*)::int as count
  from events.occurrences
  where due_at >= ${instant(':from')} and due_at < ${instant(':until')}
    and state in ('PENDING', 'PROCESSING') and redeliveries = 0
  group by 1, 2`;

/** As in the index users_by_day. */
const MONTH_DAY = '(extract(month from i.date) * 100 + extract(day from i.date))::int';

/** Counted by day and year; their occurrences are a year apart. */
const IS_YEARLY = `i.recurrence in ('birthday', 'yearly')`;

/**
 * Without what begins later: a birthday does a year after its date. A row without an instant, because its zone is not known, does not
 * say when.
 */
const COUNT_YEARLY = `
  select ${MONTH_DAY} as "monthDay", i.timezone, count(*)::int as count
  from users.occasion_inputs as i
  where ${IS_YEARLY} and ${MONTH_DAY} = any (array(
      select value::int from jsonb_array_elements_text(:monthDays::jsonb)))
    and extract(year from i.date) <= case i.recurrence when 'birthday' then :year::int - 1 else :year::int end
    and not exists (
      select from events.occurrences as o
      where o.occasion_type = i.occasion_type and o.occasion_id = i.occasion_id
        and o.nominal_date >= :firstDate and o.nominal_date < :endDate
        and (o.due_at is not null or o.state not in ('PENDING', 'PROCESSING')))
  group by 1, 2`;

const COUNT_SERIES = `
  select i.recurrence, i.date::text as date, i.timezone, planned.to as "plannedTo",
    count(*)::int as count
  from users.occasion_inputs as i
  cross join lateral (
    select max(o.nominal_date) as to from events.occurrences as o
    where o.occasion_type = i.occasion_type and o.occasion_id = i.occasion_id
      and (o.due_at is not null or o.state not in ('PENDING', 'PROCESSING'))) as planned
  where not (${IS_YEARLY})
  group by 1, 2, 3, 4`;
