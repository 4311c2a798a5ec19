/**
 * What planning and delivery read of users: the one window onto the User Context, its views
 * `users.occasion_inputs` and `users.occasion_history`. Instants are epoch ms.
 */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { ms, queryIn, queryOf } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import type { Orm } from '../persistence/orm.ts';

type Em = Pick<SqlEntityManager, 'execute'>;

/** What is true of an occasion now. */
export interface OccasionInputs {
  readonly userId: string;
  readonly recurrence: string;
  /** `YYYY-MM-DD`. */
  readonly date: string;
  readonly timezone: string;
  readonly createdAt: number;
  /** When any of the inputs last changed; at first, `createdAt`. */
  readonly changedAt: number;
}

/** What was true of an occasion from an instant until another; `until` is null of the present. */
export interface InputsPeriod extends OccasionRef {
  readonly userId: string;
  readonly recurrence: string;
  readonly date: string;
  readonly timezone: string;
  readonly from: number;
  readonly until: number | null;
}

/** SQL for the occasions of the parameter `refs`, as `type` and `id`. */
export const GIVEN = `(
  select type, id from jsonb_to_recordset(:refs::jsonb) as given (type text, id uuid)) as given`;

/**
 * Locks the users of the occasions that there are, until the transaction ends, in the order of
 * their ids: their inputs stay what they are.
 */
export async function lockUsers(em: Em, refs: readonly OccasionRef[]): Promise<void> {
  await queryIn(em)(LOCK_USERS, { refs: JSON.stringify(refs) });
}

/** Which of these users there are. */
export async function findUsers(em: Em, userIds: readonly string[]): Promise<Set<string>> {
  if (userIds.length === 0) return new Set();
  const parameters = { userIds: JSON.stringify(userIds) };
  const users = await queryIn(em)<{ id: string }>(FIND_USERS, parameters);
  return new Set(users.map(({ id }) => id));
}

/** Whole histories, the oldest period first; of very many changes of one occasion the latest. */
export async function readHistory(em: Em, refs: readonly OccasionRef[]): Promise<InputsPeriod[]> {
  if (refs.length === 0) return [];
  const parameters = { refs: JSON.stringify(refs), most: MOST_CHANGES };
  return queryIn(em)<InputsPeriod>(READ_HISTORY, parameters);
}

type FoundRef = OccasionRef & { readonly userId: string };

/** All occasions of these users: those that there are, and those that have ended. */
export async function findOccasions(em: Em, userIds: readonly string[]): Promise<FoundRef[]> {
  const find = (sql: string, ids: readonly string[]) =>
    queryIn(em)<FoundRef>(sql, { userIds: JSON.stringify(ids) });
  const found = await find(FIND_OCCASIONS, userIds);
  const known = new Set(found.map(({ userId }) => userId));
  const others = userIds.filter((id) => !known.has(id));
  // Of a user who was deleted before the first plan, only the history tells.
  return others.length === 0 ? found : [...found, ...(await find(FIND_PAST_OCCASIONS, others))];
}

interface RecipientRow {
  readonly key: string;
  readonly userId: string;
  readonly externalId: string | null;
  readonly firstName: string;
  readonly lastName: string;
  readonly timezone: string;
  /** These are null, all of them, when the user no longer has the occasion. */
  readonly recurrence: string | null;
  readonly date: string | null;
  readonly inputsTimezone: string | null;
  readonly changedAt: number | null;
}

interface AskedOccurrence {
  readonly key: string;
  readonly occasionType: string;
  readonly occasionId: string;
  readonly userId: string;
}

/**
 * Finds, for each occurrence, who it is about, with what is true at this moment: names, and the
 * inputs of the occasion (null if there is no such occasion any more). Resolves by key, without
 * those whose user does not exist.
 */
export function findRecipients(orm: Orm) {
  const query = queryOf(orm);
  return async (occurrences: readonly AskedOccurrence[]) => {
    const asked = occurrences.map(({ key, occasionType, occasionId, userId }) => ({
      key,
      type: occasionType,
      id: occasionId,
      user_id: userId,
    }));
    const rows = await query<RecipientRow>(FIND_RECIPIENTS, { asked: JSON.stringify(asked) });
    return new Map(rows.map((row) => [row.key, recipientOf(row)]));
  };
}

function recipientOf(row: RecipientRow) {
  const { userId, externalId, firstName, lastName, timezone } = row;
  const { recurrence, date, inputsTimezone, changedAt } = row;
  const inputs =
    recurrence === null || date === null || inputsTimezone === null || changedAt === null
      ? null
      : { recurrence, date, timezone: inputsTimezone, changedAt };
  return { userId, externalId, firstName, lastName, timezone, suspended: false, inputs };
}

/** Far more than anybody makes while planning is away; replayed in well under a second. */
const MOST_CHANGES = 1_000;

const LOCK_USERS = `
  select id from users.users
  where id in (
    select i.user_id from ${GIVEN} join users.occasion_inputs as i
      on i.occasion_type = given.type and i.occasion_id = given.id)
  order by id
  for no key update`;

const ASKED = `asked as (
    select value::uuid as user_id from jsonb_array_elements_text(:userIds::jsonb))`;

const FIND_USERS = `with ${ASKED} select id from asked join users.users on id = user_id`;

const READ_HISTORY = `
  select given.type, given.id, h.user_id as "userId", h.recurrence, h.date::text as date,
    h.timezone, ${ms('h.valid_from', 'from')}, ${ms('h.valid_until', 'until')}
  from ${GIVEN}
  cross join lateral (
    select * from users.occasion_history as h
    where h.occasion_type = given.type and h.occasion_id = given.id
    order by h.position desc
    limit :most::int) as h
  order by given.type, given.id, h.position`;

const FIND_OCCASIONS = `
  with ${ASKED}
  select i.occasion_type as type, i.occasion_id as id, i.user_id as "userId"
  from asked join users.occasion_inputs as i using (user_id)
  union
  select o.type, o.id, o.user_id from asked join events.occasions as o using (user_id)`;

const FIND_PAST_OCCASIONS = `
  with ${ASKED}
  select distinct h.occasion_type as type, h.occasion_id as id, h.user_id as "userId"
  from asked join users.occasion_history as h using (user_id)`;

const FIND_RECIPIENTS = `
  select asked.key, u.id as "userId", u.external_id as "externalId", u.first_name as "firstName",
    u.last_name as "lastName", u.timezone, i.recurrence, i.date::text as date,
    i.timezone as "inputsTimezone", ${ms('i.changed_at', 'changedAt')}
  from jsonb_to_recordset(:asked::jsonb) as asked (key text, type text, id uuid, user_id uuid)
  join users.users as u on u.id = asked.user_id
  left join users.occasion_inputs as i
    on i.occasion_type = asked.type and i.occasion_id = asked.id and i.user_id = u.id`;
