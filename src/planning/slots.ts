/**
 * Which dates can be due on a day, so that the audit and the forecast find their occasions by an
 * index.
 */
import { DAY_MS, formatCalendarDate } from '../time/calendar-date.ts';

/** What occasions share whose nominal dates are due the same number of days before. */
export interface SlotGroup {
  readonly recurrence: string;
  readonly offsetDays: number;
}

/**
 * The dates of a recurrence that name the same days, as the SQL function `users.occasion_slot`
 * defines it.
 */
export interface Slot extends SlotGroup {
  readonly slot: number;
}

/**
 * SQL for the groups that a table has, found one after the other by its index, without reading all
 * rows.
 */
export const slotGroupsIn = (table: 'users.occasions' | 'users.occasion_periods'): string => `
  with recursive found as (
    (select recurrence, offset_days from ${table} order by recurrence, offset_days limit 1)
    union all
    select next.recurrence, next.offset_days from found cross join lateral (
      select t.recurrence, t.offset_days from ${table} as t
      where (t.recurrence, t.offset_days) > (found.recurrence, found.offset_days)
      order by t.recurrence, t.offset_days limit 1) as next
  )
  select recurrence, offset_days as "offsetDays" from found`;

/** SQL for the slot of a date of birth, as in the indexes history_by_day and users_by_day. */
export const birthdaySlot = (row: string): string =>
  `(extract(month from ${row}.date_of_birth) * 100 + extract(day from ${row}.date_of_birth))::int`;

/** The slots of each group that may be due on a day, `YYYY-MM-DD`. */
export function slotsOfDay(groups: readonly SlotGroup[], date: string): Slot[] {
  return groups.flatMap(({ recurrence, offsetDays }) => {
    // Also the day before, in case a zone skipped it or its clocks jumped over midnight.
    const kept = [offsetDays - 1, offsetDays].map((days) => daysAfter(date, days));
    const slots = new Set(kept.flatMap((day) => slotsKeptOn(recurrence, day)));
    return [...slots].map((slot) => ({ recurrence, offsetDays, slot }));
  });
}

/** Including days that do not exist and are kept on this one. */
function slotsKeptOn(recurrence: string, date: string): number[] {
  const monthDay = Number(date.slice(5, 7)) * 100 + Number(date.slice(8));
  const day = monthDay % 100;
  switch (recurrence) {
    case 'once':
      return [(Date.parse(date) - Date.parse('0001-01-01')) / DAY_MS];
    case 'weekly':
      return [new Date(date).getUTCDay() || 7];
    case 'monthly':
      return day === 1 || daysAfter(date, 1).endsWith('-01') ? [day, 29, 30, 31] : [day];
    case 'yearly':
    case 'birthday':
      return monthDay === 228 || monthDay === 301 ? [monthDay, 229] : [monthDay];
    default:
      return [0];
  }
}

function daysAfter(date: string, days: number): string {
  return formatCalendarDate(Date.parse(date) + days * DAY_MS);
}
