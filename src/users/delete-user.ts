import { type AcceptedRevisions, refuseOtherRevision } from './change-user.ts';
import { UserNotFoundError } from './errors.ts';
import type { Clock, UserStore } from './ports.ts';

/**
 * Removes a user, with every name and external id that is kept of them. What stays is
 * the history of date and zone, for the audit, and the ledger of what was sent.
 *
 * @throws UserNotFoundError, RevisionMismatchError
 */
export async function deleteUser(
  { users, clock }: { users: UserStore; clock: Clock },
  id: string,
  accepted: AcceptedRevisions = null,
): Promise<void> {
  await users.transaction(async (tx) => {
    const user = await tx.lock(id);
    if (user === null) throw new UserNotFoundError();
    refuseOtherRevision(user, accepted);

    const now = Math.max(clock(), user.updatedAt);
    await tx.delete(id);
    await tx.closeHistory(id, now);
    await tx.forgetAnswers(id);
    const revision = user.revision + 1;
    await tx.publish({ type: 'UserDeleted', userId: id, revision, occurredAt: now });
  });
}
