import { claimableAt, firstRow, isBefore, isOpen, ms, queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { type Finding, nameOf } from './findings.ts';
import { firstBroken, OPEN_ROW_INVARIANTS, ROW_INVARIANTS } from './invariants.ts';

/** A page of this many users takes some 50 ms. */
const USERS_PER_PAGE = 5_000;
/** The most rows that one statement finds. */
const MAX_FOUND = 5_000;

/** Compares users and occasions with the ledger, set-based and in pages. Read-only. */
export function createLedgerLooks(orm: Orm, usersPerPage = USERS_PER_PAGE) {
  const query = queryOf(orm);

  return {
    /** Suspected faults, page by page, the most urgent first. */
    async *suspects(): AsyncGenerator<Finding[], void, undefined> {
      yield await query<Finding>(`${LOOK_AT_DUE_ROWS} limit ${MAX_FOUND}`);
      for (let after = FIRST_ID; after !== LAST_ID;) {
        const bounds = { after, page: usersPerPage };
        const { last } = firstRow(await query<{ last: string }>(END_OF_PAGE, bounds));
        yield await query<Finding>(LOOK_AT_PAGE, { after, last });
        after = last;
      }
    },

    /** Returns those of these findings that still hold. */
    async again(findings: readonly Finding[]): Promise<Finding[]> {
      const users = JSON.stringify(findings.map(({ userId }) => userId));
      const keys = JSON.stringify(findings.map(({ subject }) => subject));
      const found = [
        ...(await query<Finding>(LOOK_AT_USERS, { users })),
        ...(await query<Finding>(LOOK_AT_ROWS, { keys })),
      ];
      const names = new Set(findings.map(nameOf));
      return found.filter((finding) => names.has(nameOf(finding)));
    },
  };
}

const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/**
 * The clock is read once, in a select of its own: otherwise it could not be used to search an
 * index.
 */
const NOW = '(select events.clock())';
const ago = (span: string): string => `(select events.clock() - interval '${span}')`;

/** Settled at least five minutes ago, without a successor planned since. */
const UNFOLLOWED = `exists (
  select from events.occurrences as u
  where u.occasion_type = s.type and u.occasion_id = s.id
    and u.state in ('COMPLETED', 'FAILED', 'SKIPPED') and not u.followed
    and u.settled_at < ${ago('5 minutes')})`;

/** Released, and not planned again for five minutes. */
const WAITS_FOR_PLAN = `o.state = 'PENDING' and o.next_attempt_at is null
  and o.blocked_reason is null and o.planned_at < ${ago('5 minutes')}
  and s.changed_at < ${ago('5 minutes')}
  and (o.due_at < ${ago('5 minutes')} or o.due_at > ${NOW})`;

const CHANGED = 'it has changed since it was planned';

/** Whether a plan knew the last change. Up to a millisecond is lost by rounding in the process. */
const isUpToDate = (inputsAt: string): string =>
  `${inputsAt} >= s.changed_at - interval '1 millisecond'`;

/** Why an occasion has to be planned. */
const GAP = `case
  when not s.is_there then
    case when (s.is_known and s.ended_at is null) or o.key is not null
      then 'its user or occasion is gone' end
  when o.key is null then
    case when s.ended_at is not null and ${isUpToDate('s.inputs_at')} then null
      else 'it has no open row' end
  when ${UNFOLLOWED} or (${WAITS_FOR_PLAN}) then 'its row waits for a plan'
  when not (${isUpToDate('o.inputs_at')}) then '${CHANGED}' end`;

/**
 * For ten minutes an event in the outbox excuses a missing plan; the condition is written so that
 * only the index by user can answer it, however much waits. A lease excuses it too, and a
 * settlement a moment ago.
 */
const IS_EXCUSED = `(
  coalesce(j.lease_until > ${NOW}, false)
  or exists (
    select from users.outbox as e
    where e.user_id = j.user_id and coalesce(e.done_at, e.parked_at) is null
      and e.occurred_at > (select users.clock() - interval '10 minutes'))
  or (j.key is null and exists (
    select from events.occurrences as u
    where u.occasion_type = j.type and u.occasion_id = j.id
      and u.settled_at > ${ago('5 minutes')})))`;

/**
 * @param users SQL for the ids of users whose occasions are checked
 * @param isSeen a condition on `user_id`: whose occasions the ledger knows
 */
const lookAtOccasions = (users: string, isSeen: string): string => `
  with inputs as materialized (
    select i.* from (${users}) as u (id) cross join lateral (
      select * from users.occasion_inputs as v where v.user_id = u.id offset 0) as i),
  known as materialized (select * from events.occasions where ${isSeen}),
  seen as (
    select coalesce(i.occasion_type, k.type) as type, coalesce(i.occasion_id, k.id) as id,
      coalesce(i.user_id, k.user_id) as user_id, i.user_id is not null as is_there, i.changed_at,
      k.type is not null as is_known, k.ended_at, k.inputs_at, k.wake_at, k.wake_due_at,
      k.last_settled_key,
      k.last_settled_nominal
    from inputs as i full join known as k on k.type = i.occasion_type and k.id = i.occasion_id
  ),
  looked as materialized (
    select s.type, s.id, s.user_id, o.key, o.due_at, o.lease_until, ${GAP} as gap,
      case when s.is_there and o.key is not null
        then ${firstBroken(OPEN_ROW_INVARIANTS)} end as broken
    from seen as s left join lateral (
      select * from events.occurrences as o
      where o.occasion_type = s.type and o.occasion_id = s.id and ${isOpen('o')}
      limit 1) as o on true
  ),
  judged as (
    select l.*, case
      when broken is not null and coalesce(gap, '${CHANGED}') = '${CHANGED}' then 'impossible'
      when gap is not null then 'unplanned' end as kind
    from looked as l
  )
  select j.kind, j.type || '/' || j.id as subject, j.type, j.id, j.user_id as "userId",
    ${ms('j.due_at', 'dueAt')},
    case j.kind when 'impossible' then j.broken || ': ' || j.key else j.gap end as note
  from judged as j
  where j.kind = 'impossible' or (j.kind = 'unplanned' and not ${IS_EXCUSED})
  order by j.due_at nulls first, subject`;

/** Where a page of users ends. */
const END_OF_PAGE = `
  select coalesce((select id from users.users where id > :after::uuid
    order by id offset :page::int - 1 limit 1), '${LAST_ID}') as last`;

const LOOK_AT_PAGE = lookAtOccasions(
  'select id from users.users where id > :after and id <= :last',
  'user_id > :after and user_id <= :last',
);

const USERS = 'select distinct value::uuid from jsonb_array_elements_text(:users::jsonb)';

const LOOK_AT_USERS = lookAtOccasions(USERS, `user_id = any (array(${USERS}))`);

/** While nothing is sent, or not at the dispatchers' pace, waiting is legitimate. */
const IS_HELD_UP = `(
  exists (
    select from events.destinations as d
    where d.id = o.destination and (d.paused_at is not null or d.max_per_second is not null
      or d.slowed_ends_at > ${NOW}))
  or exists (
    select from events.dispatchers as p
    where p.destination = o.destination and p.busy_at > ${ago('1 minute')}))`;

const IS_WORKED_ON = `exists (
  select from events.attempts as a where a.started_at > ${ago('2 minutes')})`;

const IS_UNATTEMPTED = `${claimableAt('o')} < ${ago('2 minutes')} and not ${IS_HELD_UP}
  and (${claimableAt('o')} < ${ago('1 hour')} or not (select ${IS_WORKED_ON}))`;

/** @param rows SQL for the rows of the ledger to check */
const lookAtRows = (rows: string): string => `
  with looked as materialized (
    select o.*, ${IS_UNATTEMPTED} as is_unattempted, ${firstBroken(ROW_INVARIANTS)} as broken
    from (${rows}) as o
  )
  select case when broken is not null then 'impossible' else 'unattempted' end as kind,
    key as subject, occasion_type as type, occasion_id as id, user_id as "userId",
    ${ms('due_at', 'dueAt')},
    coalesce(broken, 'no process attempts it, and nothing holds it up') as note
  from looked
  where broken is not null or is_unattempted
  order by due_at, key`;

const claimable = (priority: number): string => `
  select due.* from events.destinations as d cross join lateral (
    select * from events.occurrences
    where destination = d.id and priority = ${priority}
      and ${isBefore('next_attempt_at', "(select events.clock() + interval '1 hour')")} offset 0) as due`;

/** Rows that wait or are due within an hour, and rows that were delivered within a day. */
const LOOK_AT_DUE_ROWS = lookAtRows(`
  ${claimable(0)} union all ${claimable(1)} union all
  select * from events.occurrences
  where state = 'COMPLETED' and due_at > ${ago('1 day')} and due_at <= ${NOW}`);

const LOOK_AT_ROWS = lookAtRows(`
  select * from events.occurrences where key = any (array(
    select value from jsonb_array_elements_text(:keys::jsonb)))`);
