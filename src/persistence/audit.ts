import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type { HeldFacts } from '../domain/due.ts';
import { BIRTHDAY } from '../domain/event-type.ts';
import type { DateSettings } from '../domain/rules.ts';
import type {
  AuditedUser,
  AuditReader,
  AuditRow,
  AuditSearch,
  AuditView,
  BornOn,
  ErasedCount,
  Window,
} from '../events/audit.ts';
import type { SqlCondition } from './occurrence-filter-sql.ts';
import type { Orm } from './orm.ts';

/**
 * The audit's view on PostgreSQL, of both schemas: a snapshot, so that a user who changes
 * while it is read is seen as one or the other.
 */
export function createAuditReader(orm: Orm): AuditReader {
  return {
    read: (work) =>
      orm.em.fork().transactional((em) => work(viewOf(em)), {
        isolationLevel: 'repeatable read',
        readOnly: true,
      }),
  };
}

function viewOf(em: SqlEntityManager): AuditView {
  return {
    async findZones(monthDay) {
      const rows = await em.execute<{ timezone: string }[]>(FIND_ZONES, [monthDay]);
      return rows.map(({ timezone }) => timezone);
    },

    findSettings: ({ from, until }: Window) =>
      em.execute<DateSettings[]>(FIND_SETTINGS, [from, until]),

    countErased: (date) => em.execute<ErasedCount[]>(COUNT_ERASED, [date]),
    findBorn: (search, after, limit) => findUsers(em, bornPage(search, after, limit), search),
    findOthers: (search, after, limit) => findUsers(em, othersPage(search, after, limit), search),
  };
}

async function findUsers(
  em: SqlEntityManager,
  page: SqlCondition,
  { date, years }: AuditSearch,
): Promise<AuditedUser[]> {
  const sql = usersOf(page.sql, years.length);
  const users = await em.execute<FoundUser[]>(sql, [
    ...page.params,
    date,
    ...years,
    date,
    Math.max(...years),
  ]);
  return users.map(({ userId, history, rows }) => ({
    userId,
    history: (history ?? []).map(toFacts),
    rows: rows ?? [],
  }));
}

interface FoundUser {
  readonly userId: string;
  readonly history: readonly FactsTuple[] | null;
  readonly rows: readonly AuditRow[] | null;
}

type FactsTuple = readonly [string, string, number, number | null];

function toFacts([dateOfBirth, timezone, from, until]: FactsTuple): HeldFacts {
  return { dateOfBirth, timezone, from, until };
}

/** As in the index `history_by_day`. */
const MONTH_DAY =
  '(extract(month from h.date_of_birth) * 100 + extract(day from h.date_of_birth))::int';

const INSTANT = 'to_timestamp(?::float8 / 1000)';

/** The day that a row belongs to: that of its instant, if it says another that can't be so anywhere. */
const DAY_OF_ROW = `
  case when abs(o.local_date - (o.fire_at at time zone 'UTC')::date) <= 2 or o.fire_at is null
    then o.local_date else (o.fire_at at time zone 'UTC')::date end`;

const epochMs = (column: string): string => `round(extract(epoch from ${column}) * 1000)`;

/** Parameter: month and day. */
const FIND_ZONES = `select distinct h.timezone from users.history as h where ${MONTH_DAY} = ?`;

/** Parameters: from, until. */
const FIND_SETTINGS = `
  select distinct local_time as "localTime", leap_day_policy as "leapDayPolicy"
  from events.occurrences
  where fire_at >= ${INSTANT} and fire_at < ${INSTANT} and state <> 'PENDING'
    and event_type = '${BIRTHDAY}'`;

/** Parameter: the day. */
const COUNT_ERASED = `
  select state, occurrences as count from events.erased_days
  where event_type = '${BIRTHDAY}' and local_date = ?::date`;

/** Each day of birth has its users in order in the index, so that a page of them is read and no more. */
function bornPage({ born }: AuditSearch, after: string | null, limit: number): SqlCondition {
  const pages = born.map((one) => {
    const condition = bornOn(one);
    return {
      sql: `(select distinct h.user_id from users.history as h
        where ${condition.sql} and h.user_id > ? order by h.user_id limit ?)`,
      params: [...condition.params, after ?? BEFORE_ALL, limit],
    };
  });
  return {
    sql: `select user_id from (${pages.map(({ sql }) => sql).join(' union ')}) as born
      order by user_id limit ?`,
    params: [...pages.flatMap(({ params }) => params), limit],
  };
}

/** Whoever else has a row of the day, found by its instant, which has an index. */
function othersPage(search: AuditSearch, after: string | null, limit: number): SqlCondition {
  const { date, window, born } = search;
  const conditions = born.map(bornOn);
  return {
    sql: `select distinct o.user_id from events.occurrences as o
      where (o.fire_at >= ${INSTANT} and o.fire_at < ${INSTANT} or o.fire_at is null)
        and o.event_type = '${BIRTHDAY}' and ${DAY_OF_ROW} = ?::date and o.user_id > ?
        and not exists (select from users.history as h
          where h.user_id = o.user_id and (${conditions.map(({ sql }) => sql).join(' or ')}))
      order by o.user_id limit ?`,
    params: [
      window.from,
      window.until,
      date,
      after ?? BEFORE_ALL,
      ...conditions.flatMap(({ params }) => params),
      limit,
    ],
  };
}

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

function bornOn({ monthDay, timezones }: BornOn): SqlCondition {
  if (timezones === null) return { sql: `${MONTH_DAY} = ?`, params: [monthDay] };
  const places = timezones.map(() => '?').join(', ');
  return {
    sql: `${MONTH_DAY} = ? and h.timezone in (${places})`,
    params: [monthDay, ...timezones],
  };
}

/** Parameters: those of the page, the day, the years, the day, the last of the years. */
function usersOf(page: string, years: number): string {
  const ofYears = Array.from({ length: years }, () => '?').join(', ');
  return `
    with page as materialized (${page})
    select page.user_id as "userId",
      (select json_agg(json_build_array(h.date_of_birth, h.timezone, ${epochMs('h.valid_from')},
          ${epochMs('h.valid_until')}) order by h.id)
        from users.history as h where h.user_id = page.user_id) as history,
      (select json_agg(json_build_object(${ROW}) order by o.year, o.key)
        from events.occurrences as o
        where o.user_id = page.user_id and o.event_type = '${BIRTHDAY}'
          and (o.year in (${ofYears}) or ${DAY_OF_ROW} = ?::date
            or o.year < ? and o.state in ('PENDING', 'PROCESSING'))) as rows
    from page order by page.user_id`;
}

const ROW = `
  'key', o.key, 'isOfDay', coalesce(${DAY_OF_ROW} = ?::date, false), 'year', o.year, 'state', o.state, 'reason', o.reason,
  'isBlocked', o.blocked_reason is not null, 'anchorDate', o.anchor_date,
  'timezone', o.timezone, 'localTime', o.local_time, 'leapDayPolicy', o.leap_day_policy,
  'localDate', o.local_date, 'fireAt', ${epochMs('o.fire_at')},
  'nextAttemptAt', ${epochMs('o.next_attempt_at')}, 'retryAt', ${epochMs('o.retry_at')},
  'attempts', o.attempts, 'deliveredAt', ${epochMs('o.delivered_at')},
  'latenessMs', o.lateness_ms, 'redeliveries', o.redeliveries,
  'isForced', o.forced_at is not null,
  'deliveries', (select count(*) from events.attempts as a
    where a.occurrence_key = o.key and a.outcome = 'delivered')`;
