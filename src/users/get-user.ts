import { UserNotFoundError } from './errors.ts';
import type { User, UserStore } from './ports.ts';

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
