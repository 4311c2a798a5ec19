import { createHash } from 'node:crypto';

import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { UserError } from './errors.ts';
import type { User, UserInput } from './user.ts';

interface KeptAnswer {
  /** Empty once the user was deleted. */
  readonly requestHash: string;
  /** The user as created; null once deleted. */
  readonly user: User | null;
}

/**
 * Claims a key for the request that creates `userId`. Returns the user that an earlier request
 * with the key and the same input created; null if there was none. The primary key makes a
 * concurrent request wait until the first transaction has ended.
 *
 * @throws UserError idempotency-key-reused, idempotent-user-deleted
 */
export async function claimKey(
  em: SqlEntityManager,
  key: string,
  input: UserInput,
  userId: string,
): Promise<User | null> {
  const requestHash = hashOf(input);
  const claimed = await em.execute<unknown[]>(CLAIM, { key, requestHash, userId });
  if (claimed.length > 0) return null;
  const [earlier] = await em.execute<KeptAnswer[]>(FIND, { key });
  // Removed between the two statements, as old keys are: it is free now.
  if (earlier === undefined) return claimKey(em, key, input, userId);
  if (earlier.user === null) throw new UserError('idempotent-user-deleted');
  if (earlier.requestHash !== requestHash) throw new UserError('idempotency-key-reused');
  return earlier.user;
}

/** Of the fields, not of the bytes: whitespace and the order of fields do not matter. */
function hashOf({ externalId, firstName, lastName, dateOfBirth, timezone }: UserInput): string {
  return createHash('sha256')
    .update(JSON.stringify([externalId, firstName, lastName, dateOfBirth, timezone]))
    .digest('base64url');
}

/** Keeps the answer to a request, in the transaction that claimed its key. */
export async function keepAnswer(em: SqlEntityManager, key: string, user: User): Promise<void> {
  await em.execute('update users.idempotency_keys set body = :body::jsonb where key = :key', {
    key,
    body: JSON.stringify(user),
  });
}

/**
 * Removes a deleted user from the answers. The keys stay, so that no retry creates the user again;
 * the hash goes too, as it would confirm a guess of name and date.
 */
export async function forgetAnswers(em: SqlEntityManager, userId: string): Promise<void> {
  await em.execute(
    `update users.idempotency_keys set body = null, request_hash = '' where user_id = :userId::uuid`,
    { userId },
  );
}

const CLAIM = `
  insert into users.idempotency_keys (key, request_hash, user_id, created_at)
  values (:key, :requestHash, :userId::uuid, users.clock())
  on conflict (key) do nothing
  returning key`;

const FIND = `
  select request_hash as "requestHash", body as "user"
  from users.idempotency_keys where key = :key`;
