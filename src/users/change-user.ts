import { RevisionMismatchError, UserNotFoundError } from './errors.ts';
import { FACT_FIELDS, type User, USER_FIELDS, type UserDeps } from './ports.ts';
import { refuseUnborn } from './refuse-unborn.ts';
import type { UserPatch } from './user-input.ts';

/** Revisions that the caller accepts as the present one; null for any. */
export type AcceptedRevisions = readonly number[] | null;

/**
 * Changes what differs, all in one transaction: the user, the history of date and zone,
 * the event. A change that changes nothing leaves no trace.
 *
 * @throws UserNotFoundError, RevisionMismatchError, InvalidUserError, ExternalIdTakenError
 */
export async function changeUser(
  { users, clock, law }: UserDeps,
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
    const factsChanged = changed.some((field) => FACT_FIELDS.includes(field));

    // A clock that was set back must not make a history that runs backwards.
    const now = Math.max(clock(), current.updatedAt);
    const next: User = {
      ...current,
      ...Object.fromEntries(changed.map((field) => [field, fields[field]])),
      updatedAt: now,
      factsChangedAt: factsChanged ? now : current.factsChangedAt,
      revision: current.revision + 1,
    };
    if (factsChanged) {
      const field = changed.includes('dateOfBirth') ? 'dateOfBirth' : 'timezone';
      refuseUnborn(next, now, law, field);
    }

    await tx.update(next);
    if (factsChanged) {
      await tx.closeHistory(id, now);
      await tx.openHistory(next, now);
    }
    const { revision } = next;
    await tx.publish({ type: 'UserUpdated', userId: id, revision, changed, occurredAt: now });
    return next;
  });
}

/** @throws RevisionMismatchError */
export function refuseOtherRevision(user: User, accepted: AcceptedRevisions): void {
  if (accepted !== null && !accepted.includes(user.revision)) {
    throw new RevisionMismatchError(user.revision);
  }
}
