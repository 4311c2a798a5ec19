import { type AcceptedRevisions, changeUser } from './change-user.ts';
import type { User, UserDeps } from './ports.ts';
import type { UserPatch } from './user-input.ts';

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
