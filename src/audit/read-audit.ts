import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { claimableAt, epochMs, isOpen, type Query, queryIn, shownState } from '../ledger/sql.ts';
import type { OccurrenceState, OwnedOccasion } from '../ledger/types.ts';
import { readRules } from '../planning/rules.ts';
import { type SlotGroup, slotGroupsIn } from '../planning/slots.ts';
import { readTypeSettings } from '../planning/type-settings.ts';
import {
  CANDIDATES_PAGE,
  candidateParameters,
  DAY_OF_ROW,
  OTHERS_PAGE,
  SLOTS,
} from './candidates.ts';
import type { AuditedPeriod } from './history.ts';
import type { AuditReport } from './report.ts';

export interface AuditedOccasion extends OwnedOccasion {
  /** The oldest first; empty for an occasion that never existed, or whose user was erased. */
  readonly periods: readonly AuditedPeriod[];
  /** When the occasion or its user was deleted, unless the history says so. */
  readonly deletedAt: number | null;
  readonly rows: readonly AuditRow[];
}

/** A row of the ledger, as far as it shows what became of an occurrence. Instants are epoch ms. */
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

/** Where an audit stands: the occasion to continue after, and which of its two walks this is. */
export interface AuditPlace {
  /** Those that the history says may be due, or all others that have a row of the day. */
  readonly walk: (typeof WALKS)[number];
  readonly userId: string;
  readonly id: string;
}

const WALKS = ['candidates', 'others'] as const;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** How many of the due occurrences were erased, by outcome. */
export interface ErasedCount {
  readonly type: string;
  readonly outcome: 'delivered' | 'failed' | 'skipped';
  readonly count: number;
}

/** A page is judged in a few ms, so that other work of the process hardly waits. */
const PAGE = 1_000;

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

    /** How many occurrences of users who were erased since were due on the day. */
    countErased: (date: string) => query<ErasedCount>(COUNT_ERASED, { date }),

    /**
     * Reads, page by page, the occasions whose inputs may be due on the day, and then all others
     * that have a row of the day; from a place on, if one is given.
     */
    async *occasions(
      date: string,
      from: AuditPlace = { walk: 'candidates', userId: BEFORE_ALL, id: BEFORE_ALL },
    ): AsyncGenerator<{ occasion: AuditedOccasion; place: AuditPlace }, void, undefined> {
      const groups = await query<SlotGroup>(slotGroupsIn('users.occasion_periods'));
      const parameters = { ...candidateParameters(groups, date), limit: PAGE };
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

const COUNT_ERASED = `
  select occasion_type as type,
    case state when 'COMPLETED' then 'delivered' else lower(state) end as outcome,
    sum(occurrences)::int as count
  from events.erased_days where local_date = :date::date group by 1, 2`;

const ROW = `
  'key', o.key, 'userId', o.user_id, 'isOfDay', coalesce(${DAY_OF_ROW} = :date::date, false),
  'nominalDate', o.nominal_date, 'state', ${shownState('o')}, 'reason', o.reason,
  'isBlocked', o.blocked_reason is not null, 'recurrence', o.recurrence, 'rrule', o.rrule,
  'date', o.date, 'offsetDays', o.offset_days, 'timezone', o.timezone,
  'localTime', o.local_time, 'leapDayPolicy', o.leap_day_policy, 'destination', o.destination,
  'localDate', o.local_date,
  'dueAt', ${epochMs('o.due_at')}, 'nextAttemptAt', ${epochMs(claimableAt('o'))},
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
 * Of the rows, reads those whose nominal dates lie around the day (of what recurs yearly, in its
 * year, which the key names), and the open one, which has to be settled first. An occasion that was
 * deleted by hand in the database ended when that was planned.
 */
const occasionsOf = (page: string): string => `
  with ${SLOTS}, page as materialized (${page})
  select page.type, page.id, page.user_id as "userId", history.periods,
    coalesce(
      (select ${epochMs('e.deleted_at')} from users.erasures as e
        where e.user_id = page.user_id),
      case when page.type <> 'birthday'
        and not exists (select from users.occasions as t where t.id = page.id offset 0)
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
