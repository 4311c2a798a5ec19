import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { epochMs, instant, isOpen, type Query, queryIn } from '../ledger/sql.ts';
import type { OccurrenceState, OwnedOccasion } from '../ledger/types.ts';
import { readRules } from '../planning/rules.ts';
import { birthdaySlot, type SlotGroup, slotGroupsIn, slotsOfDay } from '../planning/slots.ts';
import { readTypeSettings } from '../planning/type-settings.ts';
import { DAY_MS } from '../time/calendar-date.ts';
import type { AuditedPeriod } from './history.ts';
import type { AuditReport } from './report.ts';

export interface AuditedOccasion extends OwnedOccasion {
  /** The oldest first; none of an occasion that never was, or whose user was erased. */
  readonly periods: readonly AuditedPeriod[];
  /** When the occasion or its user was deleted, as far as the history does not say so. */
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
  readonly rrule: string | null;
  readonly date: string;
  readonly offsetDays: number;
  readonly timezone: string;
  readonly localTime: string;
  readonly leapDayPolicy: string;
  readonly destination: string;
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

/** Where an audit stands: the occasion after which it goes on, and in which of its two walks. */
export interface AuditPlace {
  /** Those that the history says may be due, or all others that have a row of the day. */
  readonly walk: (typeof WALKS)[number];
  readonly userId: string;
  readonly id: string;
}

const WALKS = ['candidates', 'others'] as const;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** How many were erased of those that were due, by outcome. */
export interface ErasedCount {
  readonly type: string;
  readonly outcome: 'delivered' | 'failed' | 'skipped';
  readonly count: number;
}

/** A page is judged in a few ms, so that the process's other work hardly waits. */
const PAGE = 1_000;

/**
 * An occurrence of the day may fall due at a later change of zone, time or policy, and may have
 * fallen due on another day before: zones are 26 hours apart, and each of the others moves it by a
 * day at the most.
 */
export const DAYS_BEFORE = 4;
export const DAYS_AFTER = 6;

/** Null if none was stored: the day is audited by its rows. */
export async function findStoredAudit(query: Query, date: string): Promise<AuditReport | null> {
  const [stored] = await query<{ report: AuditReport }>(
    'select report from events.audits where date = :date::date',
    { date },
  );
  return stored?.report ?? null;
}

/** What an audit reads of both schemas. */
export function createAuditView(em: SqlEntityManager) {
  const query = queryIn(em);
  return {
    findRules: () => readRules(em),

    findTypes: () => readTypeSettings(em),

    findPausedDestinations: async (): Promise<Set<string>> => {
      const paused = await query<{ id: string }>(
        'select id from events.destinations where paused_at is not null',
      );
      return new Set(paused.map(({ id }) => id));
    },

    /** Of users who were erased since, how many occurrences were due on the day. */
    countErased: (date: string) => query<ErasedCount>(COUNT_ERASED, { date }),

    /**
     * Reads, page by page, the occasions that had inputs by which the day may be theirs, and then
     * all others that have a row of the day; from a place on, if one is given.
     */
    async *occasions(
      date: string,
      from: AuditPlace = { walk: 'candidates', userId: BEFORE_ALL, id: BEFORE_ALL },
    ): AsyncGenerator<{ occasion: AuditedOccasion; place: AuditPlace }, void, undefined> {
      const dayMs = Date.parse(date);
      const groups = await query<SlotGroup>(slotGroupsIn('users.occasion_periods'));
      const parameters = {
        date,
        slots: JSON.stringify(slotsOfDay(groups, date)),
        birthdaySlots: JSON.stringify(slotsOfDay([BIRTHDAYS], date).map(({ slot }) => slot)),
        // Due instants of the day are in it, whatever the zone.
        from: dayMs - 2 * DAY_MS,
        until: dayMs + 3 * DAY_MS,
        // What was in force only before or after bears on nothing of the day.
        inForceAfter: dayMs - DAYS_BEFORE * DAY_MS,
        inForceBefore: dayMs + DAYS_AFTER * DAY_MS,
        limit: PAGE,
      };
      for (const walk of WALKS.slice(WALKS.indexOf(from.walk))) {
        let place: AuditPlace | undefined =
          walk === from.walk ? from : { walk, userId: BEFORE_ALL, id: BEFORE_ALL };
        while (place !== undefined) {
          const { userId: afterUserId, id: afterId }: AuditPlace = place;
          const sql = walk === 'candidates' ? CANDIDATES : OTHERS;
          const page: AuditedOccasion[] = await query(sql, { ...parameters, afterUserId, afterId });
          for (const occasion of page) {
            place = { walk, userId: occasion.userId, id: occasion.id };
            yield { occasion, place };
          }
          if (page.length < PAGE) place = undefined;
        }
      }
    },
  };
}

/** Birthdays are not in the table of occasions: the dates of birth are their history. */
const BIRTHDAYS: SlotGroup = { recurrence: 'birthday', offsetDays: 0 };

const COUNT_ERASED = `
  select occasion_type as type,
    case state when 'COMPLETED' then 'delivered' else lower(state) end as outcome,
    sum(occurrences)::int as count
  from events.erased_days where local_date = :date::date group by 1, 2`;

/** The day that a row belongs to: that of its instant, if its own is impossible for that anywhere. */
const DAY_OF_ROW = `
  case when abs(o.local_date - (o.due_at at time zone 'UTC')::date) <= 2
    then o.local_date else (o.due_at at time zone 'UTC')::date end`;

const SLOTS = `
  slots as materialized (
    select * from jsonb_to_recordset(:slots::jsonb) as s (recurrence text, "offsetDays" int, slot int)
  ), birthday_slots as materialized (
    select value::int as slot from jsonb_array_elements_text(:birthdaySlots::jsonb)
  )`;

const BIRTHDAY_SLOT = birthdaySlot('h');

/**
 * Whether a period of an occasion was in force when something of the day can have fallen due: at
 * its instant, or, once it was to be due more days before, up to the nominal date.
 */
const IS_IN_FORCE = `
  p.valid_from < ${instant(':inForceBefore')} + p.offset_days * interval '1 day'
  and coalesce(p.valid_until, 'infinity') > ${instant(':inForceAfter')}
  and (p.date <= :date::date + p.offset_days or p.date is null)`;

/** The first condition for the index, both for the order. */
const after = (userId: string, id: string): string => `
  ${userId} >= :afterUserId::uuid and (${userId}, ${id}) > (:afterUserId::uuid, :afterId::uuid)`;

/** Each slot has its users in order in an index, so that a page of them is read and no more. */
const CANDIDATES_PAGE = `
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
      select distinct on (p.user_id, p.occasion_id)
        p.occasion_type as type, p.occasion_id as id, p.user_id
      from users.history as h join users.occasion_periods as p on p.user_id = h.user_id
      where ${BIRTHDAY_SLOT} = s.slot and p.date is null and p.offset_days = s."offsetDays"
        and ${IS_IN_FORCE} and h.user_id >= :afterUserId::uuid
        and ${after('p.user_id', 'p.occasion_id')}
      order by p.user_id, p.occasion_id limit :limit::int) as found
    where s.recurrence = 'birthday') as candidates
  order by user_id, id limit :limit::int`;

/** By the index of due instants; in one go, as they are few. */
const OTHERS_PAGE = `
  select type, id, user_id from (
    select o.occasion_type as type, o.occasion_id as id, min(o.user_id::text)::uuid as user_id
    from events.occurrences as o
    where o.due_at >= ${instant(':from')} and o.due_at < ${instant(':until')}
      and ${DAY_OF_ROW} = :date::date
    group by 1, 2) as o
  where ${after('o.user_id', 'o.id')}
    and not exists (
      select from users.history as h join birthday_slots as s on s.slot = ${BIRTHDAY_SLOT}
      where o.type = 'birthday' and h.user_id = o.id)
    and not exists (
      select from users.occasion_periods as p join slots as s
        on s.recurrence = p.recurrence and s."offsetDays" = p.offset_days
      where p.occasion_type = o.type and p.occasion_id = o.id and ${IS_IN_FORCE}
        and (s.slot = users.occasion_slot(p.recurrence, p.date)
          or p.date is null and exists (
            select from users.history as h where h.user_id = p.user_id and ${BIRTHDAY_SLOT} = s.slot)))
  order by user_id, id limit :limit::int`;

const ROW = `
  'key', o.key, 'userId', o.user_id, 'isOfDay', coalesce(${DAY_OF_ROW} = :date::date, false),
  'nominalDate', o.nominal_date, 'state', o.state, 'reason', o.reason,
  'isBlocked', o.blocked_reason is not null, 'recurrence', o.recurrence, 'rrule', o.rrule,
  'date', o.date, 'offsetDays', o.offset_days, 'timezone', o.timezone,
  'localTime', o.local_time, 'leapDayPolicy', o.leap_day_policy, 'destination', o.destination,
  'localDate', o.local_date,
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

const ROW_OF_PAGE = 'o.occasion_type = page.type and o.occasion_id = page.id';

/**
 * Of the rows, those whose nominal dates lie around the day (of what recurs yearly, in its year,
 * which the key names), and the open one, which has to be settled first. An occasion that a hand
 * deleted ended when it was planned.
 */
const occasionsOf = (page: string): string => `
  with ${SLOTS}, page as materialized (${page})
  select page.type, page.id, page.user_id as "userId", history.periods,
    coalesce(
      (select ${epochMs('e.deleted_at')} from users.erasures as e
        where e.user_id = page.user_id),
      case when page.type <> 'birthday'
        and not exists (select from users.occasions as t where t.id = page.id)
        then (select ${epochMs('e.ended_at')} from events.occasions as e
          where e.type = page.type and e.id = page.id) end) as "deletedAt",
    coalesce((select json_agg(json_build_object(${ROW}))
      from events.occurrences as o
      where o.key = any (array(
        select o.key from events.occurrences as o
        where ${ROW_OF_PAGE}
          and o.nominal_date >= to_char(history.first_day - 10, history.unit)
          and o.nominal_date < to_char(history.last_day + 10, history.unit) || '~'
        union
        select o.key from events.occurrences as o
        where ${ROW_OF_PAGE} and ${isOpen('o')}))), '[]') as rows
  from page cross join lateral (
    select coalesce(json_agg(json_build_object(${PERIOD}) order by h.position), '[]') as periods,
      :date::date + coalesce(min(h.offset_days), 0) as first_day,
      :date::date + coalesce(max(h.offset_days), 0) as last_day,
      case when coalesce(bool_or(h.recurrence in ('birthday', 'yearly')), true)
        then 'YYYY' else 'YYYY-MM-DD' end as unit
    from users.occasion_history as h
    where h.occasion_type = page.type and h.occasion_id = page.id) as history
  order by page.user_id, page.id`;

const CANDIDATES = occasionsOf(CANDIDATES_PAGE);
const OTHERS = occasionsOf(OTHERS_PAGE);
