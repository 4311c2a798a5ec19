/**
 * Which occasions an audit of a day examines, page by page: those that the history says may be due,
 * by index, and all others that have a row of the day.
 */
import { instant } from '../ledger/sql.ts';
import { birthdaySlot, type SlotGroup, slotsOfDay } from '../planning/slots.ts';
import { DAY_MS } from '../time/calendar-date.ts';

/**
 * An occurrence of the day may fall due at a later change of zone, time or policy, and may have
 * fallen due on another day before: zones are 26 hours apart, and each of the others moves it by a
 * day at the most.
 */
export const DAYS_BEFORE = 4;
export const DAYS_AFTER = 6;

/** Birthdays are not in the table of occasions: the dates of birth are their history. */
const BIRTHDAYS: SlotGroup = { recurrence: 'birthday', offsetDays: 0 };

/** The parameters of both pages, except for the place and the limit. */
export function candidateParameters(groups: readonly SlotGroup[], date: string) {
  const dayMs = Date.parse(date);
  return {
    date,
    slots: JSON.stringify(slotsOfDay(groups, date)),
    birthdaySlots: JSON.stringify(slotsOfDay([BIRTHDAYS], date).map(({ slot }) => slot)),
    // Due instants of the day are in it, whatever the zone.
    from: dayMs - 2 * DAY_MS,
    until: dayMs + 3 * DAY_MS,
    // What was in force only before or after does not affect the day.
    inForceAfter: dayMs - DAYS_BEFORE * DAY_MS,
    inForceBefore: dayMs + DAYS_AFTER * DAY_MS,
  };
}

/**
 * The day of a row: that of its instant, if its own date is impossible for that instant anywhere.
 */
export const DAY_OF_ROW = `
  case when abs(o.local_date - (o.due_at at time zone 'UTC')::date) <= 2
    then o.local_date else (o.due_at at time zone 'UTC')::date end`;

/** For a `with`; both pages read them. */
export const SLOTS = `
  slots as materialized (
    select * from jsonb_to_recordset(:slots::jsonb) as s (recurrence text, "offsetDays" int, slot int)
  ), birthday_slots as materialized (
    select value::int as slot from jsonb_array_elements_text(:birthdaySlots::jsonb)
  )`;

const BIRTHDAY_SLOT = birthdaySlot('h');

/**
 * Whether a period of an occasion was in force when an occurrence of the day can have fallen due:
 * at its instant, or, once it was to be due more days before, up to the nominal date.
 */
const IS_IN_FORCE = `
  p.valid_from < ${instant(':inForceBefore')} + p.offset_days * interval '1 day'
  and coalesce(p.valid_until, 'infinity') > ${instant(':inForceAfter')}
  and (p.date <= :date::date + p.offset_days or p.date is null)`;

/** The first condition for the index, both for the order. */
const after = (userId: string, id: string): string => `
  ${userId} >= :afterUserId::uuid and (${userId}, ${id}) > (:afterUserId::uuid, :afterId::uuid)`;

/** Each slot has its users in order in an index, so that exactly one page of them is read. */
export const CANDIDATES_PAGE = `
  select type, id, user_id from (
    select 'birthday' as type, found.user_id as id, found.user_id
    from birthday_slots as s cross join lateral (
      select distinct h.user_id from users.history as h
      where ${BIRTHDAY_SLOT} = s.slot and ${after('h.user_id', 'h.user_id')}
      order by h.user_id limit :limit::int) as found
    union
    select found.type, found.id, found.user_id
    from slots as s cross join lateral (
      select distinct on (p.user_id, p.occasion_id)
        p.occasion_type as type, p.occasion_id as id, p.user_id
      from users.occasion_periods as p
      where p.recurrence = s.recurrence and p.offset_days = s."offsetDays"
        and users.occasion_slot(p.recurrence, p.date) = s.slot
        and ${IS_IN_FORCE} and ${after('p.user_id', 'p.occasion_id')}
      order by p.user_id, p.occasion_id limit :limit::int) as found
    union
    -- Those that follow the date of birth.
    select found.type, found.id, found.user_id
    from slots as s cross join lateral (
      select distinct on (h.user_id, p.occasion_id)
        p.occasion_type as type, p.occasion_id as id, h.user_id
      from users.history as h cross join lateral (
        select * from users.occasion_periods as p
        where p.user_id = h.user_id and p.date is null and p.offset_days = s."offsetDays"
          and ${IS_IN_FORCE}
        offset 0) as p
      where ${BIRTHDAY_SLOT} = s.slot and ${after('h.user_id', 'p.occasion_id')}
      order by h.user_id, p.occasion_id limit :limit::int) as found
    where s.recurrence = 'birthday') as candidates
  order by user_id, id limit :limit::int`;

/**
 * By the index of due instants; in one statement, as there are few. Without the offsets, PostgreSQL
 * may read whole histories to compare them.
 */
export const OTHERS_PAGE = `
  select type, id, user_id from (
    select o.occasion_type as type, o.occasion_id as id, min(o.user_id::text)::uuid as user_id
    from events.occurrences as o
    where o.due_at >= ${instant(':from')} and o.due_at < ${instant(':until')}
      and ${DAY_OF_ROW} = :date::date
    group by 1, 2) as o
  where ${after('o.user_id', 'o.id')}
    and not exists (
      select from users.history as h join birthday_slots as s on s.slot = ${BIRTHDAY_SLOT}
      where o.type = 'birthday' and h.user_id = o.id offset 0)
    and not exists (
      select from users.occasion_periods as p join slots as s
        on s.recurrence = p.recurrence and s."offsetDays" = p.offset_days
      where p.occasion_type = o.type and p.occasion_id = o.id and ${IS_IN_FORCE}
        and (s.slot = users.occasion_slot(p.recurrence, p.date)
          or p.date is null and exists (
            select from users.history as h
            where h.user_id = p.user_id and ${BIRTHDAY_SLOT} = s.slot offset 0))
      offset 0)
  order by user_id, id limit :limit::int`;
