import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type { DatedFacts } from '../domain/planning-history.ts';
import type {
  FinalOccurrence,
  OpenOccurrence,
  PlannedOccurrence,
  PlanningStore,
  PlanningTransaction,
  UserFacts,
} from '../events/planning-store.ts';
import { BIRTHDAYS, type FactsSources, sourceOf } from './facts-source.ts';
import type { Orm } from './orm.ts';

/** Planning on PostgreSQL. A user's plan and a change of the user wait for each other. */
export function createPlanningStore(orm: Orm, sources: FactsSources = BIRTHDAYS): PlanningStore {
  return {
    transaction: (work) =>
      orm.em.fork().transactional((em) => work(planningTransaction(em, sources))),
  };
}

function planningTransaction(em: SqlEntityManager, sources: FactsSources): PlanningTransaction {
  const run = async (sql: string, params: readonly unknown[]): Promise<number> =>
    (await em.execute<{ affectedRows: number }>(sql, [...params], 'run')).affectedRows;

  return {
    async lockFacts(eventType, userId) {
      const { facts } = sourceOf(sources, eventType);
      const [found] = await em.execute<UserFacts[]>(lockFacts(facts), [userId]);
      if (found !== undefined) return found;
      const users = await em.execute<object[]>(LOCK_USER, [userId]);
      return users.length === 0 ? 'user_deleted' : 'date_removed';
    },

    async findOpen(eventType, userId) {
      const [open] = await em.execute<OpenOccurrence[]>(FIND_OPEN, [eventType, userId]);
      return open ?? null;
    },

    findFinal: (eventType, userId) =>
      em.execute<FinalOccurrence[]>(FIND_FINAL, [eventType, userId]),

    async findHistory(eventType, userId, since) {
      const { history } = sourceOf(sources, eventType);
      if (history === null) return [];
      const params = [userId, since, MOST_CHANGES];
      return (await em.execute<DatedFacts[]>(findHistory(history), params)).toReversed();
    },

    async savePlanned(occurrence) {
      const saved = await run(SAVE_PLANNED, columnsOf(occurrence));
      expectOne(saved, occurrence.key);
    },

    async saveSkipped(occurrence, reason) {
      const saved = await run(SAVE_SKIPPED, [
        ...columnsOf(occurrence),
        reason,
        occurrence.plannedAt,
      ]);
      expectOne(saved, occurrence.key);
    },

    async skipOpen(key, reason, now) {
      expectOne(await run(SKIP_OPEN, [reason, now, key]), key);
    },

    async removeOpen(key) {
      expectOne(await run(REMOVE_OPEN, [key]), key);
    },
  };
}

/** The open row is locked by then, so another count means that the caller did not ask first. */
function expectOne(rows: number, key: string): void {
  if (rows !== 1) throw new Error(`${key} is not open, or being sent: it cannot be planned`);
}

/** In the order of `COLUMNS`. */
function columnsOf(occurrence: PlannedOccurrence): unknown[] {
  return [
    occurrence.key,
    occurrence.eventType,
    occurrence.userId,
    occurrence.year,
    occurrence.anchorDate,
    occurrence.timezone,
    occurrence.localTime,
    occurrence.leapDayPolicy,
    occurrence.tzVersion,
    occurrence.localDate,
    occurrence.fireAt,
    occurrence.blockedReason,
    occurrence.plannedAt,
    occurrence.rechecked ? occurrence.plannedAt : null,
    occurrence.factsAt,
  ];
}

const INSTANT = 'to_timestamp(?::float8 / 1000)';

const COLUMNS = `key, event_type, user_id, year, anchor_date, timezone, local_time,
  leap_day_policy, tz_version, local_date, fire_at, blocked_reason, planned_at, rechecked_at, facts_at`;

const VALUES = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${INSTANT}, ?, ${INSTANT}, ${INSTANT}, ${INSTANT}`;

/** What a plan says, onto a row that has another one. */
const REPLAN = COLUMNS.split(',')
  .map((column) => column.trim())
  .filter((column) => !['key', 'event_type', 'user_id', 'year'].includes(column))
  .map((column) => `${column} = excluded.${column}`)
  .join(', ');

/** No longer armed; an activity that waits for the row is told what became of it. */
const disarmed = (report: string): string => `
  armed_at = null, next_attempt_at = null, sending_until = null, armed_attempts = 0, reporting_until = null,
  report = case when occurrences.task_token is not null then '${report}' end`;

const NOT_ON_THE_WIRE = `occurrences.state in ('PENDING', 'PROCESSING')
  and occurrences.redelivery_id is null
  and (occurrences.sending_until is null or occurrences.sending_until <= events.clock())`;

const ms = (column: string, name: string): string =>
  `(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

/** Parameter: user. What is locked are the rows of the tables underneath. */
const lockFacts = (facts: string): string => `
  select user_id as "userId", anchor_date::text as "dateOfBirth", timezone,
    ${ms('created_at', 'createdAt')}, ${ms('changed_at', 'changedAt')}
  from (${facts}) as facts where user_id = ?
  for update`;

const LOCK_USER = 'select id from users.users where id = ? for update';

/** Far more than anybody makes while planning is away; replayed in well under a second. */
const MOST_CHANGES = 1_000;

/** Parameters: user, instant, limit. The latest first. */
const findHistory = (history: string): string => `
  select anchor_date::text as "dateOfBirth", timezone, ${ms('valid_from', 'from')}
  from (${history}) as history
  where user_id = ? and (valid_until is null or valid_until > ${INSTANT})
  order by position desc
  limit ?`;

// Rows of an older version do not have it.
const FACTS_AT = ms('coalesce(facts_at, planned_at)', 'factsAt');

// What is being redelivered was settled before, and stays so for the plan.
const FIND_OPEN = `
  select key, year, state, anchor_date::text as "anchorDate", timezone, ${ms('fire_at', 'fireAt')},
    attempts, rechecked_at is not null as rechecked, ${FACTS_AT},
    coalesce(sending_until > events.clock(), false) as sending
  from events.occurrences
  where event_type = ? and user_id = ? and state in ('PENDING', 'PROCESSING')
    and redelivery_id is null
  order by year desc
  limit 1
  for update`;

const FIND_FINAL = `
  select year, ${ms('fire_at', 'fireAt')}, ${FACTS_AT}
  from events.occurrences
  where event_type = ? and user_id = ?
    and (state in ('COMPLETED', 'FAILED', 'SKIPPED') or redelivery_id is not null)
  order by year`;

const SAVE_PLANNED = `
  insert into events.occurrences (${COLUMNS}, state)
  values (${VALUES}, 'PENDING')
  on conflict (key) do update
  set ${REPLAN}, state = 'PENDING', ${disarmed('released')}
  where ${NOT_ON_THE_WIRE}`;

const SAVE_SKIPPED = `
  insert into events.occurrences (${COLUMNS}, state, reason, settled_at)
  values (${VALUES}, 'SKIPPED', ?, ${INSTANT})
  on conflict (key) do update
  set ${REPLAN}, state = 'SKIPPED', reason = excluded.reason, settled_at = excluded.settled_at,
    ${disarmed('skipped')}
  where ${NOT_ON_THE_WIRE}`;

const SKIP_OPEN = `
  update events.occurrences
  set state = 'SKIPPED', reason = ?, settled_at = ${INSTANT}, ${disarmed('skipped')}
  where key = ? and ${NOT_ON_THE_WIRE}`;

/** Its open activity, which has nothing left to wait for, is told by its token alone. */
const REMOVE_OPEN = `
  with removed as (
    delete from events.occurrences
    where key = ? and attempts = 0 and ${NOT_ON_THE_WIRE}
    returning key, task_token
  ), stale as (
    insert into events.stale_tokens (task_token, occurrence_key)
    select task_token, key from removed where task_token is not null
    on conflict do nothing
  )
  select key from removed`;
