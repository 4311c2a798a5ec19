/**
 * What planning and delivery read about users: the only access to the User Context, through its
 * views `users.occasion_inputs` and `users.occasion_history`. Instants are epoch ms.
 */
import { type Em, epochMs, instant, ms, queryIn, queryOf } from '../ledger/sql.ts';
import type { ClaimedOccurrence, OccasionRef, OwnedOccasion } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { Period } from './rules.ts';

/** The current inputs of an occasion. */
export interface OccasionInputs extends Omit<Period, 'from'> {
  readonly createdAt: number;
  /** When any of the inputs last changed; at first, `createdAt`. */
  readonly changedAt: number;
}

/**
 * The inputs of an occasion from an instant until another; `until` is null for the current ones.
 */
export interface InputsPeriod extends OwnedOccasion, Period {
  readonly until: number | null;
}

/** SQL for the occasions of the parameter `refs`, as `type` and `id`. */
export const GIVEN = `(
  select type, id from jsonb_to_recordset(:refs::jsonb) as given (type text, id uuid)) as given`;

/**
 * SQL for an occasion's row of the view, if any. The view's second part is a join: joined with it
 * directly, PostgreSQL may read all of it for each batch.
 */
export const inputsOf = (type: string, id: string): string => `lateral (
    select * from users.occasion_inputs as v
    where v.occasion_type = ${type} and v.occasion_id = ${id} offset 0)`;

/** SQL for `OccasionInputs` from a row of the view; null if there is none. */
export const INPUTS_OF = (row: string): string => `case when ${row}.user_id is not null then
    json_build_object('recurrence', ${row}.recurrence, 'rrule', ${row}.rrule, 'date', ${row}.date,
      'offsetDays', ${row}.offset_days, 'timezone', ${row}.timezone,
      'localTime', ${row}.local_time, 'suspended', ${row}.suspended,
      'createdAt', ${epochMs(`${row}.created_at`)},
      'changedAt', ${epochMs(`${row}.changed_at`)}) end`;

/**
 * Locks the users of these occasions until the transaction ends, in the order of their ids, so that
 * their inputs stay the same.
 */
export async function lockUsers(em: Em, refs: readonly OccasionRef[]): Promise<void> {
  await queryIn(em)(
    `select id from users.users
     where id in (
       select i.user_id from ${GIVEN} cross join ${inputsOf('given.type', 'given.id')} as i)
     order by id
     for no key update`,
    { refs: JSON.stringify(refs) },
  );
}

/** Far more than a user makes while planning is down; replaying them takes well under a second. */
const MOST_CHANGES = 1_000;

/**
 * Reads whole histories, the oldest period first; if an occasion has very many changes, the latest.
 */
export async function readHistory(em: Em, refs: readonly OccasionRef[]): Promise<InputsPeriod[]> {
  if (refs.length === 0) return [];
  return queryIn(em)<InputsPeriod>(
    `select given.type, given.id, h.user_id as "userId", h.recurrence, h.rrule,
       h.date::text as date, h.offset_days as "offsetDays", h.timezone,
       h.local_time as "localTime", h.suspended, ${ms('h.valid_from', 'from')}, ${ms('h.valid_until', 'until')}
     from ${GIVEN}
     cross join lateral (
       select * from users.occasion_history as h
       where h.occasion_type = given.type and h.occasion_id = given.id
       order by h.position desc
       limit :most::int) as h
     order by given.type, given.id, h.position`,
    { refs: JSON.stringify(refs), most: MOST_CHANGES },
  );
}

const ASKED = `asked as (
    select value::uuid as user_id from jsonb_array_elements_text(:userIds::jsonb))`;

/** All occasions of these users: existing ones, and those that have ended. */
export async function findOccasions(
  em: Em,
  userIds: readonly string[],
): Promise<readonly OwnedOccasion[]> {
  const query = queryIn(em);
  const found = await query<OwnedOccasion>(
    `with ${ASKED}
     -- A user at a time: without statistics, a join may read all occasions that there are.
     select i.occasion_type as type, i.occasion_id as id, i.user_id as "userId"
     from asked cross join lateral (
       select * from users.occasion_inputs as v where v.user_id = asked.user_id offset 0) as i
     union
     select o.type, o.id, o.user_id from asked cross join lateral (
       select * from events.occasions as t where t.user_id = asked.user_id offset 0) as o`,
    { userIds: JSON.stringify(userIds) },
  );
  const known = new Set(found.map(({ userId }) => userId));
  const others = userIds.filter((id) => !known.has(id));
  if (others.length === 0) return found;
  // For a user who was deleted before the first plan, only the history has them.
  const past = await query<OwnedOccasion>(
    `with ${ASKED}
     select distinct h.occasion_type as type, h.occasion_id as id, h.user_id as "userId"
     from asked cross join lateral (
       select * from users.occasion_history as v where v.user_id = asked.user_id offset 0) as h`,
    { userIds: JSON.stringify(others) },
  );
  return [...found, ...past];
}

type AskedOccurrence = Pick<
  ClaimedOccurrence,
  'key' | 'occasionType' | 'occasionId' | 'userId' | 'dueAt'
>;

interface RecipientRow {
  readonly key: string;
  readonly userId: string;
  readonly externalId: string | null;
  readonly firstName: string;
  readonly lastName: string;
  readonly timezone: string;
  readonly isUserSuspended: boolean;
  readonly inputs: OccasionInputs | null;
  /** Whether it was suspended at any time since it fell due. */
  readonly wasSuspended: boolean;
  readonly occasionExternalId: string | null;
  readonly data: Readonly<Record<string, unknown>> | null;
}

/**
 * Finds the user of each occurrence at this moment: names, and the inputs of the occasion (null if
 * the user no longer has it). Resolves with a map by key, without those whose user does not exist.
 */
export function findRecipients(orm: Orm) {
  const query = queryOf(orm);
  return async (occurrences: readonly AskedOccurrence[]) => {
    const asked = occurrences.map(({ key, occasionType, occasionId, userId, dueAt }) => {
      return { key, occasionType, occasionId, userId, dueAt };
    });
    const rows = await query<RecipientRow>(FIND_RECIPIENTS, { asked: JSON.stringify(asked) });
    return new Map(rows.map(({ key, ...user }) => [key, user]));
  };
}

/** A history is read only if the inputs have changed since the occurrence fell due. */
const FIND_RECIPIENTS = `
  select asked.key, u.id as "userId", u.external_id as "externalId",
    u.first_name as "firstName", u.last_name as "lastName", u.timezone,
    u.suspended as "isUserSuspended", ${INPUTS_OF('i')} as inputs,
    i.changed_at > ${instant('asked."dueAt"')} and exists (
      select from users.occasion_history as h
      where h.occasion_type = asked."occasionType" and h.occasion_id = asked."occasionId"
        and h.suspended and h.valid_until > ${instant('asked."dueAt"')}
      offset 0) as "wasSuspended",
    o.external_id as "occasionExternalId", o.data
  from jsonb_to_recordset(:asked::jsonb) as asked
    (key text, "occasionType" text, "occasionId" uuid, "userId" uuid, "dueAt" float8)
  join users.users as u on u.id = asked."userId"
  left join ${inputsOf('asked."occasionType"', 'asked."occasionId"')} as i on i.user_id = u.id
  left join users.occasions as o on o.id = asked."occasionId" and o.user_id = u.id`;
