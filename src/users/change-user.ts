import { RevisionMismatchError, UserNotFoundError } from './errors.ts';
import { refuseUnborn } from './refuse-unborn.ts';
import type { UserPatch } from './user-input.ts';
import type { UserDeps } from './user-store.ts';
import { INPUT_FIELDS, type User, USER_FIELDS } from './user.ts';

/** Revisions that the caller accepts as the present one; null for any. */
export type AcceptedRevisions = readonly number[] | null;

/**
 * Changes what differs, all in one transaction: the user, the history of its schedule inputs,
 * the event. A change that changes nothing leaves no trace.
 *
 * @throws UserNotFoundError, RevisionMismatchError, InvalidUserError, ExternalIdTakenError
 */
export async function changeUser(
  { users, clock, tz }: UserDeps,
  id: string,
  fields: UserPatch,
  accepted: AcceptedRevisions,
): Promise<User> {
  return users.transaction(async (tx) => {
    const current = await tx.lock(id);
    if (current === null) throw new UserNotFoundError();
    refuseOtherRevision(current, accepted);

    const changed = USER_FIELDS.filter(
      (field) => fields[field] !== undefined && fields[field] !== current[field],
    );
    if (changed.length === 0) return current;
    const next: User = {
      ...current,
      ...Object.fromEntries(changed.map((field) => [field, fields[field]])),
    };
    const inputsChanged = changed.some((field) => INPUT_FIELDS.includes(field));
    if (inputsChanged) {
      const field = changed.includes('dateOfBirth') ? 'dateOfBirth' : 'timezone';
      refuseUnborn(next, clock(), tz, field);
    }

    const user = await tx.update(next, { inputsChanged });
    if (inputsChanged) {
      await tx.closeHistory(id);
      await tx.openHistory(id);
    }
    const { revision } = user;
    await tx.publish({ type: 'UserUpdated', userId: id, revision, changed });
    return user;
  });
}

/** @throws RevisionMismatchError */
export function refuseOtherRevision(user: User, accepted: AcceptedRevisions): void {
  if (accepted !== null && !accepted.includes(user.revision)) {
    throw new RevisionMismatchError(user.revision);
  }
}
