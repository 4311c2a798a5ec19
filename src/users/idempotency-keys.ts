import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type { User } from './user.ts';

/** A request that may come again. */
interface IdempotentRequest {
  readonly key: string;
  /** Tells one request from another. */
  readonly requestHash: string;
  /** Of the user that it creates. */
  readonly userId: string;
}

/** What an earlier request with the same key was answered. */
export interface IdempotentAnswer {
  /** Empty when the user was deleted since. */
  readonly requestHash: string;
  /** The user as created; null when deleted since. */
  readonly user: User | null;
}

/**
 * Takes a key for a request; null when it is taken now, else the answer that has it. The
 * primary key makes a rival wait until the first transaction has ended.
 */
export async function claimKey(
  em: SqlEntityManager,
  request: IdempotentRequest,
): Promise<IdempotentAnswer | null> {
  const claimed = await em.execute<unknown[]>(CLAIM, { ...request });
  if (claimed.length > 0) return null;
  const [earlier] = await em.execute<IdempotentAnswer[]>(FIND, { key: request.key });
  // Removed between the two statements, as old keys are: it is free now.
  return earlier ?? claimKey(em, request);
}

/** Keeps what the request was answered, in the transaction that claimed its key. */
export async function keepAnswer(em: SqlEntityManager, key: string, user: User): Promise<void> {
  await em.execute('update users.idempotency_keys set body = :body::jsonb where key = :key', {
    key,
    body: JSON.stringify(user),
  });
}

/**
 * Takes a deleted user out of the answers; the keys stay, so that none creates anew. The hash of
 * the request goes too: it would confirm a guess of name and date.
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
