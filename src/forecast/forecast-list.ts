/** Lists the occurrences behind the numbers of a forecast, in pages. */
import { occurrenceKey } from '../ledger/occurrence-key.ts';
import { epochMs, instant, isOpen, type Query, queryIn, readSnapshot } from '../ledger/sql.ts';
import type { OwnedOccasion } from '../ledger/types.ts';
import { birthdaySlot, type SlotGroup, slotGroupsIn, slotsOfDay } from '../planning/slots.ts';
import { DAY_MS, formatCalendarDate } from '../time/calendar-date.ts';
import { dueDatesAfter, type LocalTimeInputs } from '../time/occurrence.ts';
import type { Series } from '../time/recurrence.ts';
import { type ForecastDeps, type OwnDateInputs, readInputs } from './forecast.ts';
import type { Window } from './window.ts';

/** A longer window has the same occasions again and again. */
export const LISTED_DAYS = 31;

export interface ForecastFilter {
  /** Null for any. */
  readonly type: string | null;
  readonly timezone: string | null;
}

/** First planned occurrences, by due instant, then computed ones, by user. */
export interface ForecastListPlace {
  /** The last planned occurrence that was listed; null at the beginning, and after the last one. */
  readonly planned: { readonly dueAt: number; readonly key: string } | null;
  /** The last occasion that was listed completely; null before the first. */
  readonly computed: Pick<OwnedOccasion, 'userId' | 'id'> | null;
  /** How many occurrences of the next one were listed. */
  readonly listed: number;
}

export interface ForecastListItem {
  readonly key: string;
  readonly occasionType: string;
  readonly occasionId: string;
  readonly userId: string;
  readonly nominalDate: string;
  readonly localDate: string;
  readonly timezone: string;
  /** Epoch ms. */
  readonly dueAt: number;
  /** Whether the ledger has it. */
  readonly planned: boolean;
}

/**
 * A page of what falls due in a window of at most `LISTED_DAYS`: each occurrence that `forecast`
 * counts in `due`.
 *
 * @throws NoRulesError before `migrate` has recorded any
 */
export async function listForecast(
  deps: ForecastDeps,
  window: Window,
  filter: ForecastFilter,
  place: ForecastListPlace | null,
  limit: number,
): Promise<{ items: ForecastListItem[]; next: ForecastListPlace | null }> {
  return readSnapshot(deps.orm, async (em) => {
    const query = queryIn(em);
    const items: ForecastListItem[] = [];
    const isComputed = place !== null && place.planned === null;
    if (!isComputed) {
      items.push(...(await findPlanned(query, window, filter, place?.planned ?? null, limit + 1)));
      if (items.length > limit) {
        const { dueAt, key } = items[limit - 1] ?? { dueAt: 0, key: '' };
        const next = { planned: { dueAt, key }, computed: null, listed: 0 };
        return { items: items.slice(0, limit), next };
      }
    }
    const { inputsOf } = await readInputs(em, deps.tz);
    let last = isComputed ? place.computed : null;
    let skip = isComputed ? place.listed : 0;
    for await (const occasion of candidates(query, window, filter, last)) {
      deps.signal?.throwIfAborted();
      const isKnown = deps.tz.isKnown(occasion.timezone);
      const all = isKnown ? [...computedOf(occasion, inputsOf(occasion), window, deps)] : [];
      const fresh = all.slice(skip);
      const room = limit - items.length;
      items.push(...fresh.slice(0, room));
      if (fresh.length > room) {
        return { items, next: { planned: null, computed: last, listed: skip + room } };
      }
      last = { userId: occasion.userId, id: occasion.id };
      skip = 0;
    }
    return { items, next: null };
  });
}

interface Candidate extends OwnedOccasion, OwnDateInputs, Series {
  /** The years, or the latest nominal date, that the ledger has. */
  readonly plannedYears: readonly string[];
  readonly plannedTo: string | null;
}

function* computedOf(
  occasion: Candidate,
  inputs: LocalTimeInputs,
  { from, until }: Window,
  { tz }: Pick<ForecastDeps, 'tz'>,
): Generator<ForecastListItem> {
  const { type, id, userId, recurrence, plannedYears, plannedTo } = occasion;
  const isOfYear = recurrence === 'birthday' || recurrence === 'yearly';
  for (const due of dueDatesAfter({ ...occasion, ...inputs }, from - 1, tz)) {
    if (due.dueAt >= until) return;
    const { nominalDate } = due;
    const isPlanned = isOfYear
      ? plannedYears.includes(nominalDate.slice(0, 4))
      : nominalDate <= (plannedTo ?? '');
    if (isPlanned) continue;
    const key = occurrenceKey(occasion, nominalDate, recurrence);
    const { timezone } = occasion;
    yield { key, occasionType: type, occasionId: id, userId, ...due, timezone, planned: false };
  }
}

function findPlanned(
  query: Query,
  { from, until }: Window,
  { type, timezone }: ForecastFilter,
  after: ForecastListPlace['planned'],
  limit: number,
): Promise<ForecastListItem[]> {
  const place = { afterDueAt: after?.dueAt ?? from, afterKey: after?.key ?? '' };
  return query(PLANNED, { until, type, timezone, ...place, limit });
}

const PLANNED = `
  select o.key, o.occasion_type as "occasionType", o.occasion_id as "occasionId",
    o.user_id as "userId", o.nominal_date as "nominalDate", o.local_date::text as "localDate",
    o.timezone, round(${epochMs('o.due_at')}) as "dueAt", true as planned
  from events.occurrences as o
  where (o.due_at, o.key) > (${instant(':afterDueAt')}, :afterKey::text)
    and o.due_at < ${instant(':until')} and ${isOpen('o')}
    and (:type::text is null or o.occasion_type = :type)
    and (:timezone::text is null or o.timezone = :timezone)
    and not exists (select from users.users as u where u.id = o.user_id and u.suspended)
    and not exists (select from users.occasions as t where t.id = o.occasion_id and t.suspended)
  order by o.due_at, o.key limit :limit::int`;

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';
const PAGE = 500;

/** The occasions that may be due in the window, and whose user and self are not suspended. */
async function* candidates(
  query: Query,
  window: Window,
  { type, timezone }: ForecastFilter,
  after: ForecastListPlace['computed'],
): AsyncGenerator<Candidate> {
  const groups = await query<SlotGroup>(slotGroupsIn('users.occasions'));
  const days = daysOf(window);
  const slotsOf = (of: readonly SlotGroup[]) => {
    const slots = days.flatMap((day) => slotsOfDay(of, day));
    return [...new Map(slots.map((slot) => [Object.values(slot).join(), slot])).values()];
  };
  const birthdays = slotsOf([{ recurrence: 'birthday', offsetDays: 0 }]);
  const parameters = {
    slots: JSON.stringify(slotsOf(groups)),
    birthdaySlots: JSON.stringify(birthdays.map(({ slot }) => slot)),
    firstDate: days[0],
    firstYear: days[0]?.slice(0, 4),
    type,
    timezone,
    limit: PAGE,
  };
  let place = after ?? { userId: BEFORE_ALL, id: BEFORE_ALL };
  for (;;) {
    const page = await query<Candidate>(CANDIDATES, {
      ...parameters,
      afterUserId: place.userId,
      afterId: place.id,
    });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    place = last;
  }
}

/** Local days of the window: clocks are up to 14 hours ahead and 12 behind. */
function daysOf({ from, until }: Window): string[] {
  const days: string[] = [];
  for (let at = from - DAY_MS; at < until + DAY_MS; at += DAY_MS) days.push(formatCalendarDate(at));
  return [...days, formatCalendarDate(until + DAY_MS)];
}

const after = (userId: string, id: string): string => `
  ${userId} >= :afterUserId::uuid and (${userId}, ${id}) > (:afterUserId::uuid, :afterId::uuid)`;

/** Each slot has its users in order in an index, so that exactly one page of them is read. */
const CANDIDATES = `
  with slots as materialized (
    select * from jsonb_to_recordset(:slots::jsonb) as s (recurrence text, "offsetDays" int, slot int)
  ), birthday_slots as materialized (
    select value::int as slot from jsonb_array_elements_text(:birthdaySlots::jsonb)
  ), page as materialized (
    select type, id, user_id from (
      select 'birthday' as type, found.id, found.id as user_id
      from birthday_slots as s cross join lateral (
        select u.id from users.users as u
        where ${birthdaySlot('u')} = s.slot and not u.suspended and ${after('u.id', 'u.id')}
          and coalesce(:type::text, 'birthday') = 'birthday'
          and (:timezone::text is null or u.timezone = :timezone)
        order by u.id limit :limit::int) as found
      union
      select found.type, found.id, found.user_id
      from slots as s cross join lateral (
        select t.type, t.id, t.user_id
        from users.occasions as t join users.users as u on u.id = t.user_id and not u.suspended
        where t.recurrence = s.recurrence and t.offset_days = s."offsetDays"
          and users.occasion_slot(t.recurrence, t.date) = s.slot and not t.suspended
          and (:type::text is null or t.type = :type)
          and (:timezone::text is null or coalesce(t.timezone, u.timezone) = :timezone)
          and ${after('t.user_id', 't.id')}
        order by t.user_id, t.id limit :limit::int) as found
      union
      select found.type, found.id, found.user_id
      from slots as s cross join lateral (
        select t.type, t.id, t.user_id
        from users.users as u cross join lateral (
          select * from users.occasions as t
          where t.user_id = u.id and t.date is null and t.offset_days = s."offsetDays"
            and not t.suspended
          offset 0) as t
        where ${birthdaySlot('u')} = s.slot and not u.suspended
          and (:type::text is null or t.type = :type)
          and (:timezone::text is null or coalesce(t.timezone, u.timezone) = :timezone)
          and ${after('u.id', 't.id')}
        order by u.id, t.id limit :limit::int) as found
      where s.recurrence = 'birthday') as candidates
    order by user_id, id limit :limit::int
  )
  select page.type, page.id, page.user_id as "userId", i.recurrence, i.rrule, i.date::text as date,
    i.offset_days as "offsetDays", i.timezone, i.local_time as "localTime",
    array(select distinct left(o.nominal_date, 4) from events.occurrences as o
      where o.occasion_type = page.type and o.occasion_id = page.id
        and o.nominal_date >= :firstYear::text
        and (o.due_at is not null or o.state <> 'PENDING')) as "plannedYears",
    (select max(o.nominal_date) from events.occurrences as o
      where o.occasion_type = page.type and o.occasion_id = page.id
        and (o.due_at is not null or o.state <> 'PENDING')) as "plannedTo"
  from page cross join lateral (
    select * from users.occasion_inputs as i
    where i.occasion_type = page.type and i.occasion_id = page.id offset 0) as i
  order by page.user_id, page.id`;
