import { createHash } from 'node:crypto';

import { v7 as uuidv7 } from 'uuid';

import { IdempotencyKeyReusedError, IdempotentUserDeletedError } from './errors.ts';
import { refuseUnborn } from './refuse-unborn.ts';
import type { UserInput } from './user-input.ts';
import type { UserDeps, UserTransaction } from './user-store.ts';
import type { User } from './user.ts';

/**
 * Creates a user. The same `idempotencyKey` with the same input gives the user that
 * the first call made, as it was then.
 *
 * @throws InvalidUserError, ExternalIdTakenError, IdempotencyKeyReusedError,
 *   IdempotentUserDeletedError
 */
export async function createUser(
  { users, clock, tz }: UserDeps,
  input: UserInput,
  idempotencyKey: string | null = null,
): Promise<User> {
  refuseUnborn(input, clock(), tz);
  const id = uuidv7();
  return users.transaction(async (tx) => {
    if (idempotencyKey !== null) {
      const earlier = await claimKey(tx, idempotencyKey, input, id);
      if (earlier !== null) return earlier;
    }
    const user = await tx.insert({ id, ...input });
    await tx.openHistory(id);
    await tx.publish({ type: 'UserCreated', userId: id, revision: user.revision });
    if (idempotencyKey !== null) await tx.keepAnswer(idempotencyKey, user);
    return user;
  });
}

/** Takes the key for this request; gives the user that an earlier request with it created. */
async function claimKey(
  tx: UserTransaction,
  key: string,
  input: UserInput,
  userId: string,
): Promise<User | null> {
  const { externalId, firstName, lastName, dateOfBirth, timezone } = input;
  // Of the fields, not of the bytes: spaces and the order of fields do not matter.
  const requestHash = createHash('sha256')
    .update(JSON.stringify([externalId, firstName, lastName, dateOfBirth, timezone]))
    .digest('base64url');
  const earlier = await tx.claimKey({ key, requestHash, userId });
  if (earlier === null) return null;
  // Of a deleted user's request nothing is kept to compare with.
  if (earlier.user === null) throw new IdempotentUserDeletedError();
  if (earlier.requestHash !== requestHash) throw new IdempotencyKeyReusedError();
  return earlier.user;
}
