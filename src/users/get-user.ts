import { UserNotFoundError } from './errors.ts';
import type { UserStore } from './user-store.ts';
import type { User } from './user.ts';

/**
 * Gives a user.
 *
 * @throws UserNotFoundError
 */
export async function getUser({ users }: { users: UserStore }, id: string): Promise<User> {
  const user = await users.find(id);
  if (user === null) throw new UserNotFoundError();
  return user;
}
