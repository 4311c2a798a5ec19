import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type { User } from './user.ts';
import { USER } from './user-rows.ts';

/** The position of a user in lists: by the transaction that created it, then by its id. */
export interface UserPlace {
  /** An xid8, in decimal. */
  readonly position: string;
  readonly id: string;
}

export interface UserQuery {
  readonly after: UserPlace | null;
  readonly limit: number;
  readonly externalId: string | null;
  readonly timezone: string | null;
  /** The beginning of a name or of an external id, in any case, with or without accents. */
  readonly q: string | null;
}

/**
 * A page of users in order of creation. It ends before any user that a running transaction could
 * still insert before it, so that the next page shows that one: it can be short. `next` is the
 * place after which the next page begins; null on the last page.
 */
export async function listUsers(
  em: SqlEntityManager,
  { after, limit, externalId, timezone, q }: UserQuery,
) {
  const conditions = [
    ...(after === null ? [] : ['(u.position, u.id) > (:position::xid8, :id::uuid)']),
    ...(externalId === null ? [] : ['u.external_id = :externalId']),
    ...(timezone === null ? [] : ['u.timezone = :timezone']),
  ];
  const values = { ...after, externalId, timezone, q, limit: limit + 1 };
  const sql = q === null ? listSql(conditions) : searchSql(conditions);
  const found = await em.execute<ListedRow[]>(sql, values);
  // One more row than the page holds, to see whether there is a next page.
  if (found.length <= limit) return { users: found, next: null };

  const rows = found.slice(0, limit);
  const firstOpen = rows.findIndex(({ isFinal }) => !isFinal);
  const page = firstOpen === -1 ? rows : rows.slice(0, firstOpen);
  const { position, id } = page.at(-1) ?? after ?? BEGINNING;
  return { users: page, next: { position, id } };
}

interface ListedRow extends User, UserPlace {
  /** No transaction that is still running can add a user before this one. */
  readonly isFinal: boolean;
}

const BEGINNING: UserPlace = { position: '0', id: '00000000-0000-0000-0000-000000000000' };

const COLUMNS = `${USER}, u.position::text as position,
  u.position < pg_snapshot_xmin(pg_current_snapshot()) as "isFinal"`;

const listSql = (conditions: readonly string[]): string => `
  select ${COLUMNS}
  from users.users as u
  ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
  order by u.position, u.id
  limit :limit::int`;

/** What is searched, matching the indexes. */
const SEARCHED = [
  { text: "u.first_name || ' ' || u.last_name", where: 'true' },
  { text: "u.last_name || ' ' || u.first_name", where: 'true' },
  { text: 'u.external_id', where: 'u.external_id is not null' },
];

/**
 * Each prefix is searched by an index of its own, as a range; the last code point sorts after all
 * continuations. The indexes are combined before the users are read: with a common name, that takes
 * the most time.
 */
const searchSql = (conditions: readonly string[]): string => `
  with found as materialized (
    select u.position, u.id from users.users as u
    where ${['true', ...conditions].join(' and ')} and (${SEARCHED.map(
      ({ text, where }) => `
      ${where} and users.folded(${text}) collate "C" >= users.folded(:q::text)
      and users.folded(${text}) collate "C" < users.folded(:q::text) || chr(1114111)`,
    ).join(' or')})
  ), page as materialized (
    select position, id from found order by position, id limit :limit::int
  )
  select ${COLUMNS}
  from page join users.users as u on u.id = page.id
  order by u.position, u.id`;
