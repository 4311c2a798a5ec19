import { type AcceptedRevisions, changeUser } from './change-user.ts';
import type { UserPatch } from './user-input.ts';
import type { UserDeps } from './user-store.ts';
import type { User } from './user.ts';

/**
 * Changes the fields that are given, and only those.
 *
 * @throws UserNotFoundError, RevisionMismatchError, InvalidUserError, ExternalIdTakenError
 */
export function updateUser(
  deps: UserDeps,
  id: string,
  patch: UserPatch,
  accepted: AcceptedRevisions = null,
): Promise<User> {
  return changeUser(deps, id, patch, accepted);
}
