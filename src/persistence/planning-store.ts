import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type {
  FinalOccurrence,
  OpenOccurrence,
  PlannedOccurrence,
  PlanningStore,
  PlanningTransaction,
  UserFacts,
} from '../events/ports.ts';
import type { Orm } from './orm.ts';

/** Planning on PostgreSQL. A user's plan and a change of the user wait for each other. */
export function createPlanningStore(orm: Orm): PlanningStore {
  return {
    transaction: (work) => orm.em.fork().transactional((em) => work(planningTransaction(em))),
  };
}

function planningTransaction(em: SqlEntityManager): PlanningTransaction {
  const run = async (sql: string, params: readonly unknown[]): Promise<number> =>
    (await em.execute<{ affectedRows: number }>(sql, [...params], 'run')).affectedRows;

  return {
    async lockUser(userId) {
      const [user] = await em.execute<UserFacts[]>(LOCK_USER, [userId]);
      return user ?? null;
    },

    async findOpen(eventType, userId) {
      const [open] = await em.execute<OpenOccurrence[]>(FIND_OPEN, [eventType, userId]);
      return open ?? null;
    },

    findFinal: (eventType, userId) =>
      em.execute<FinalOccurrence[]>(FIND_FINAL, [eventType, userId]),

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
  ];
}

const INSTANT = 'to_timestamp(?::float8 / 1000)';

const COLUMNS = `key, event_type, user_id, year, anchor_date, timezone, local_time,
  leap_day_policy, tz_version, local_date, fire_at, blocked_reason, planned_at, rechecked_at`;

const VALUES = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${INSTANT}, ?, ${INSTANT}, ${INSTANT}`;

/** What a plan says, onto a row that has another one. */
const REPLAN = COLUMNS.split(',')
  .map((column) => column.trim())
  .filter((column) => !['key', 'event_type', 'user_id', 'year'].includes(column))
  .map((column) => `${column} = excluded.${column}`)
  .join(', ');

/** No longer armed; an activity that waits for the row is told what became of it. */
const disarmed = (report: string): string => `
  next_attempt_at = null, sending_until = null, armed_attempts = 0, reporting_until = null,
  report = case when occurrences.task_token is not null then '${report}' end`;

const NOT_ON_THE_WIRE = `occurrences.state in ('PENDING', 'PROCESSING')
  and (occurrences.sending_until is null or occurrences.sending_until <= events.clock())`;

const ms = (column: string, name: string): string =>
  `(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

const LOCK_USER = `
  select id as "userId", date_of_birth::text as "dateOfBirth", timezone,
    ${ms('created_at', 'createdAt')}, ${ms('facts_changed_at', 'changedAt')}
  from users.users where id = ?
  for update`;

// Should a redelivery of an earlier year be open as well, the plan is about the latest.
const FIND_OPEN = `
  select key, year, state, anchor_date::text as "anchorDate", timezone, ${ms('fire_at', 'fireAt')},
    attempts, rechecked_at is not null as rechecked,
    coalesce(sending_until > events.clock(), false) as sending
  from events.occurrences
  where event_type = ? and user_id = ? and state in ('PENDING', 'PROCESSING')
  order by year desc
  limit 1
  for update`;

const FIND_FINAL = `
  select year, ${ms('fire_at', 'fireAt')}
  from events.occurrences as o
  where event_type = ? and user_id = ? and (
    state in ('COMPLETED', 'FAILED', 'SKIPPED')
    or exists (
      select from events.occurrences as later
      where later.event_type = o.event_type and later.user_id = o.user_id
        and later.year > o.year and later.state in ('PENDING', 'PROCESSING')))
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

const REMOVE_OPEN = `
  delete from events.occurrences
  where key = ? and attempts = 0 and ${NOT_ON_THE_WIRE}`;
