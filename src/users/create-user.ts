import { createHash } from 'node:crypto';

import { v7 as uuidv7 } from 'uuid';

import { IdempotencyKeyReusedError, IdempotentUserDeletedError } from './errors.ts';
import type { User, UserDeps, UserTransaction } from './ports.ts';
import { refuseUnborn } from './refuse-unborn.ts';
import type { UserInput } from './user-input.ts';

/**
 * Creates a user. The same `idempotencyKey` with the same input gives the user that
 * the first call made, as it was then.
 *
 * @throws InvalidUserError, ExternalIdTakenError, IdempotencyKeyReusedError,
 *   IdempotentUserDeletedError
 */
export async function createUser(
  { users, clock, law }: UserDeps,
  input: UserInput,
  idempotencyKey: string | null = null,
): Promise<User> {
  const now = clock();
  refuseUnborn(input, now, law);
  const user: User = {
    // Ordered by time, and never given twice.
    id: uuidv7(),
    ...input,
    createdAt: now,
    updatedAt: now,
    factsChangedAt: now,
    revision: 1,
  };
  return users.transaction(async (tx) => {
    if (idempotencyKey !== null) {
      const earlier = await claim(tx, idempotencyKey, input, user);
      if (earlier !== null) return earlier;
    }
    await tx.insert(user);
    await tx.openHistory(user, now);
    const { id: userId, revision } = user;
    await tx.publish({ type: 'UserCreated', userId, revision, occurredAt: now });
    return user;
  });
}

async function claim(
  tx: UserTransaction,
  key: string,
  input: UserInput,
  user: User,
): Promise<User | null> {
  const { externalId, firstName, lastName, dateOfBirth, timezone } = input;
  // Of the fields, not of the bytes: spaces and the order of fields do not matter.
  const requestHash = createHash('sha256')
    .update(JSON.stringify([externalId, firstName, lastName, dateOfBirth, timezone]))
    .digest('base64url');
  const earlier = await tx.claimKey({ key, requestHash, userId: user.id, user }, user.createdAt);
  if (earlier === null) return null;
  // Of a deleted user's request nothing is kept to compare with.
  if (earlier.user === null) throw new IdempotentUserDeletedError();
  if (earlier.requestHash !== requestHash) throw new IdempotencyKeyReusedError();
  return earlier.user;
}
