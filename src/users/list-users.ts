import type { UserPlace, UserQuery, UserStore } from './user-store.ts';
import type { User } from './user.ts';

export interface UserPage {
  readonly users: readonly User[];
  /** The place after which the next page begins; null when there is none. */
  readonly next: UserPlace | null;
}

/**
 * Gives a page of users in order of creation. Pages stay true while users come and go: each
 * begins after a place, not at a number. A page that another follows ends before any user
 * that a running transaction could still put in front of it, so that the next one shows it;
 * it may be short for that.
 */
export async function listUsers(
  { users }: { users: UserStore },
  query: UserQuery,
): Promise<UserPage> {
  // One more than asked for tells whether there is a next page.
  const found = await users.list({ ...query, limit: query.limit + 1 });
  if (found.length <= query.limit) return { users: found.map(({ user }) => user), next: null };

  const within = found.slice(0, query.limit);
  const firstOpen = within.findIndex(({ isFinal }) => !isFinal);
  const page = firstOpen === -1 ? within : within.slice(0, firstOpen);
  const { position, id } = page.at(-1) ?? query.after ?? BEGINNING;
  return { users: page.map(({ user }) => user), next: { position, id } };
}

const BEGINNING: UserPlace = { position: '0', id: '00000000-0000-0000-0000-000000000000' };
