import type { User, UserQuery, UserStore } from './ports.ts';

export interface UserPage {
  readonly users: readonly User[];
  /** The id after which the next page begins; null when there is none. */
  readonly nextAfter: string | null;
}

/**
 * Gives a page of users in order of creation. Pages stay true while users come and go:
 * each begins after an id, not at a number.
 */
export async function listUsers(
  { users }: { users: UserStore },
  query: UserQuery,
): Promise<UserPage> {
  // One more than asked for tells whether there is a next page.
  const found = await users.list({ ...query, limit: query.limit + 1 });
  const page = found.slice(0, query.limit);
  return { users: page, nextAfter: found.length > page.length ? (page.at(-1)?.id ?? null) : null };
}
