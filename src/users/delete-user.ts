import { type AcceptedRevisions, refuseOtherRevision } from './change-user.ts';
import { UserNotFoundError } from './errors.ts';
import type { UserStore } from './user-store.ts';

/**
 * Removes a user, with every name and external id that is kept of it. What stays is the
 * history of its schedule inputs, for the audit, and the ledger of what was sent.
 *
 * @throws UserNotFoundError, RevisionMismatchError
 */
export async function deleteUser(
  { users }: { users: UserStore },
  id: string,
  accepted: AcceptedRevisions = null,
): Promise<void> {
  await users.transaction(async (tx) => {
    const user = await tx.lock(id);
    if (user === null) throw new UserNotFoundError();
    refuseOtherRevision(user, accepted);

    // First: the history ends at the user's last instant, which goes with the user.
    await tx.endHistory(id);
    await tx.delete(id);
    await tx.forgetAnswers(id);
    await tx.publish({ type: 'UserDeleted', userId: id, revision: user.revision + 1 });
  });
}
