import { type AcceptedRevisions, changeUser } from './change-user.ts';
import type { UserInput } from './user-input.ts';
import type { UserDeps } from './user-store.ts';
import type { User } from './user.ts';

/**
 * Makes a user what the input says, whole; it never creates one, because ids are ours
 * to give.
 *
 * @throws UserNotFoundError, RevisionMismatchError, InvalidUserError, ExternalIdTakenError
 */
export function replaceUser(
  deps: UserDeps,
  id: string,
  input: UserInput,
  accepted: AcceptedRevisions = null,
): Promise<User> {
  return changeUser(deps, id, input, accepted);
}
