import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { instant, isOpen, ms, queryIn } from '../ledger/sql.ts';
import { presentRules, readRules } from '../planning/rules.ts';
import type { Series } from '../time/recurrence.ts';
import type { Window } from './window.ts';

/** Occasions that recur more often than yearly, or once: those that share all of this. */
export interface SeriesGroup extends Series {
  readonly timezone: string;
  /** The latest nominal date that the ledger has; null if it has none. */
  readonly plannedTo: string | null;
  readonly count: number;
}

/** What a forecast reads of the ledger and the users. */
export function createForecastView(em: SqlEntityManager) {
  const query = queryIn(em);
  return {
    findRules: async () => presentRules(await readRules(em)),

    /** Open rows of the ledger by minute (epoch ms) and zone, without redeliveries. */
    findPlanned: ({ from, until }: Window) =>
      query<{ minute: number; timezone: string; count: number }>(FIND_PLANNED, { from, until }),

    /**
     * The yearly occasions of a nominal date whose occurrence of that year the ledger does not have,
     * by zone.
     */
    countYearly(nominalDate: string) {
      const [year, month, day] = nominalDate.split('-').map(Number) as [number, number, number];
      return query<{ timezone: string; count: number }>(COUNT_YEARLY, {
        year,
        monthDay: month * 100 + day,
        firstDate: `${year}-`,
        endDate: `${year + 1}-`,
      });
    },

    /** All other occasions, counted by what they share. */
    countSeries: () => query<SeriesGroup>(COUNT_SERIES),
  };
}

const FIND_PLANNED = `
  select ${ms("date_trunc('minute', due_at)", 'minute')}, timezone, count(*)::int as count
  from events.occurrences
  where due_at >= ${instant(':from')} and due_at < ${instant(':until')}
    and ${isOpen('occurrences')}
  group by 1, 2`;

const IS_YEARLY = `i.recurrence in ('birthday', 'yearly')`;

/** A row of the ledger without an instant, because its zone is unknown, does not say when. */
const IS_PLANNED = `o.occasion_type = i.occasion_type and o.occasion_id = i.occasion_id
  and (o.due_at is not null or o.state not in ('PENDING', 'PROCESSING'))`;

/** Month and day as in the index users_by_day. The first birthday is a year after the date of birth. */
const COUNT_YEARLY = `
  select i.timezone, count(*)::int as count
  from users.occasion_inputs as i
  where ${IS_YEARLY}
    and (extract(month from i.date) * 100 + extract(day from i.date))::int = :monthDay::int
    and extract(year from i.date) + (i.recurrence = 'birthday')::int <= :year::int
    and not exists (
      select from events.occurrences as o
      where ${IS_PLANNED} and o.nominal_date >= :firstDate and o.nominal_date < :endDate)
  group by i.timezone`;

const COUNT_SERIES = `
  select i.recurrence, i.date::text as date, i.timezone, planned.to as "plannedTo",
    count(*)::int as count
  from users.occasion_inputs as i
  cross join lateral (
    select max(o.nominal_date) as to from events.occurrences as o where ${IS_PLANNED}) as planned
  where not (${IS_YEARLY})
  group by 1, 2, 3, 4`;
