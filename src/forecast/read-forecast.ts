import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { instant, isOpen, ms, queryIn } from '../ledger/sql.ts';
import { birthdaySlot, type SlotGroup, slotGroupsIn } from '../planning/slots.ts';
import { formatCalendarDate } from '../time/calendar-date.ts';
import { PLACEHOLDER_YEARS } from '../time/placeholder-years.ts';
import type { Series } from '../time/recurrence.ts';
import { AROUND_MS, type Window } from './window.ts';

/** What occasions that fall due together have in common; `count` of them. */
export interface OccasionGroup {
  readonly type: string;
  readonly timezone: string;
  /** Null: as the type or the installation says. */
  readonly localTime: string | null;
  readonly offsetDays: number;
  readonly isSuspended: boolean;
  readonly count: number;
}

/** How many birthdays have a date that systems write for an unknown one. */
export interface PlaceholderCounts {
  readonly firstOfJanuary: number;
  readonly placeholderYears: number;
}

/** Occasions that recur other than yearly, grouped by all of this. */
export interface SeriesGroup extends OccasionGroup, Series {
  /**
   * The latest nominal date that the ledger has and the window may contain; null if there is none.
   */
  readonly plannedTo: string | null;
}

export interface PlannedGroup
  extends Pick<OccasionGroup, 'type' | 'timezone' | 'isSuspended' | 'count'>, PlaceholderCounts {
  /** Epoch ms. */
  readonly minute: number;
}

/** Reads what a forecast needs from the ledger and the users; of one occasion type, if given. */
export function createForecastView(em: SqlEntityManager, type: string | null) {
  const query = queryIn(em);
  return {
    /** Open rows of the ledger by minute and zone, without redeliveries. */
    findPlanned: ({ from, until }: Window) =>
      query<PlannedGroup>(FIND_PLANNED, { from, until, type }),

    /** The recurrences of occasions, and how many days before the date they are due. */
    findGroups: () => query<SlotGroup>(slotGroupsIn('users.occasions')),

    /**
     * The yearly occasions of a nominal date whose occurrence of that year the ledger does not have.
     */
    countYearly(nominalDate: string, groups: readonly SlotGroup[]) {
      const [year, month, day] = nominalDate.split('-').map(Number) as [number, number, number];
      return query<OccasionGroup & PlaceholderCounts>(COUNT_YEARLY, {
        year,
        slot: month * 100 + day,
        firstDate: `${year}-`,
        endDate: `${year + 1}-`,
        groups: JSON.stringify(groups.filter(isYearly)),
        type,
      });
    },

    /** Counts all other occasions that may be due in the window, grouped by what they share. */
    countSeries: ({ from, until }: Window, groups: readonly SlotGroup[]) =>
      query<SeriesGroup>(COUNT_SERIES, {
        first: formatCalendarDate(from - AROUND_MS),
        last: formatCalendarDate(until + AROUND_MS),
        groups: JSON.stringify(groups.filter((group) => !isYearly(group))),
        type,
      }),
  };
}

/** @param birth SQL for the date of birth; null for other occasions */
const placeholders = (birth: string): string => `
    (count(*) filter (where extract(month from ${birth}) = 1 and extract(day from ${birth}) = 1))::int
      as "firstOfJanuary",
    (count(*) filter (where extract(year from ${birth}) in (${PLACEHOLDER_YEARS.join(', ')})))::int
      as "placeholderYears"`;

const FIND_PLANNED = `
  select ${ms("date_trunc('minute', o.due_at)", 'minute')}, o.timezone, o.occasion_type as type,
    coalesce(u.id, t.id) is not null as "isSuspended", count(*)::int as count,
    ${placeholders("case o.occasion_type when 'birthday' then o.date end")}
  from events.occurrences as o
  left join (select id from users.users where suspended) as u on u.id = o.user_id
  left join (select id from users.occasions where suspended) as t on t.id = o.occasion_id
  where o.due_at >= ${instant(':from')} and o.due_at < ${instant(':until')} and ${isOpen('o')}
    and (:type::text is null or o.occasion_type = :type)
  group by 1, 2, 3, 4`;

/** A ledger row without an instant, because its zone is unknown, does not tell when it is due. */
const isPlanned = (type: string, id: string): string => `
  o.occasion_type = ${type} and o.occasion_id = ${id}
  and (o.due_at is not null or o.state <> 'PENDING')`;

/** Without the offset, PostgreSQL may read the rows of all occasions, and join them. */
const ofYear = (type: string, id: string): string => `exists (
  select from events.occurrences as o
  where ${isPlanned(type, id)} and o.nominal_date >= :firstDate and o.nominal_date < :endDate
  offset 0)`;

const BIRTHDAY_SLOT = birthdaySlot('u');

const GROUPS = `jsonb_to_recordset(:groups::jsonb) as g (recurrence text, "offsetDays" int)`;

const INPUTS = `t.type, coalesce(t.timezone, u.timezone) as timezone,
  coalesce(t.delivery_time, u.delivery_time) as local_time, t.offset_days,
  t.suspended or u.suspended as suspended`;

/**
 * Birthdays, the other yearly occasions with a date of their own, and those that follow the date of
 * birth. Whatever is counted like a birthday begins a year after its date.
 */
const COUNT_YEARLY = `
  select type, timezone, local_time as "localTime", offset_days as "offsetDays",
    suspended as "isSuspended", count(*)::int as count, ${placeholders('birth')}
  from (
    select 'birthday' as type, u.timezone, u.delivery_time as local_time, 0 as offset_days,
      u.suspended, u.date_of_birth as birth
    from users.users as u
    where ${BIRTHDAY_SLOT} = :slot::int and extract(year from u.date_of_birth) < :year::int
      and not ${ofYear("'birthday'", 'u.id')}
    union all
    select ${INPUTS}, null::date as birth
    from ${GROUPS} cross join lateral (
      select * from users.occasions as t
      where t.recurrence = g.recurrence and t.offset_days = g."offsetDays"
        and users.occasion_slot(t.recurrence, t.date) = :slot::int
        and extract(year from t.date) + (t.recurrence = 'birthday')::int <= :year::int
      offset 0) as t
    join users.users as u on u.id = t.user_id
    where not ${ofYear('t.type', 't.id')}
    union all
    select ${INPUTS}, null::date as birth
    from users.users as u cross join lateral (
      select * from users.occasions as t where t.user_id = u.id and t.date is null offset 0) as t
    where ${BIRTHDAY_SLOT} = :slot::int and extract(year from u.date_of_birth) < :year::int
      and not ${ofYear('t.type', 't.id')}) as found
  where :type::text is null or type = :type
  group by 1, 2, 3, 4, 5`;

/**
 * One past date stands for all others that yield the same days from now on, so that
 * few groups remain; with an rrule, each date is another series.
 */
const SERIES_DATE = `case
  when t.date >= t.first or t.recurrence in ('once', 'rrule') then t.date
  when t.recurrence = 'daily' then t.first
  when t.recurrence = 'weekly' then t.first + ((t.date - t.first) % 7 + 7) % 7
  else make_date(extract(year from t.first)::int - 1, 1, extract(day from t.date)::int) end`;

const COUNT_SERIES = `
  select t.recurrence, t.rrule, (${SERIES_DATE})::text as date, t.type,
    coalesce(t.timezone, u.timezone) as timezone,
    coalesce(t.delivery_time, u.delivery_time) as "localTime", t.offset_days as "offsetDays",
    t.suspended or u.suspended as "isSuspended",
    case when planned.until >= t.first::text then planned.until end as "plannedTo",
    count(*)::int as count
  from ${GROUPS} cross join lateral (
    select *, :first::date + t.offset_days as first from users.occasions as t
    where t.recurrence = g.recurrence and t.offset_days = g."offsetDays"
      and (:type::text is null or t.type = :type) and t.date <= :last::date + t.offset_days
      and (t.recurrence <> 'once' or users.occasion_slot(t.recurrence, t.date)
        between :first::date + g."offsetDays" - date '0001-01-01'
          and :last::date + g."offsetDays" - date '0001-01-01')
    offset 0) as t
  join users.users as u on u.id = t.user_id
  cross join lateral (
    select max(o.nominal_date) as until from events.occurrences as o
    where ${isPlanned('t.type', 't.id')}) as planned
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9`;

function isYearly({ recurrence }: SlotGroup): boolean {
  return recurrence === 'yearly' || recurrence === 'birthday';
}
