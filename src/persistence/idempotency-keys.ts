import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type { IdempotentAnswer, User } from '../users/ports.ts';

interface KeyRow {
  readonly request_hash: string;
  readonly user_id: string;
  readonly body: User | null;
}

/**
 * Takes a key for an answer; null when it is taken now, else the answer that has it. The
 * primary key makes a rival wait until the first transaction has ended.
 */
export async function claimKey(
  em: SqlEntityManager,
  answer: IdempotentAnswer,
  createdAt: number,
): Promise<IdempotentAnswer | null> {
  const { key, requestHash, userId, user } = answer;
  const claimed = await em.execute<unknown[]>(
    `insert into users.idempotency_keys (key, request_hash, user_id, body, created_at)
     values (?, ?, ?, ?::jsonb, to_timestamp(?::float8 / 1000))
     on conflict (key) do nothing
     returning key`,
    [key, requestHash, userId, JSON.stringify(user), createdAt],
  );
  if (claimed.length > 0) return null;

  const [row] = await em.execute<KeyRow[]>(
    'select request_hash, user_id, body from users.idempotency_keys where key = ?',
    [key],
  );
  // Removed between the two statements, as old keys are: it is free now.
  if (row === undefined) return claimKey(em, answer, createdAt);
  return { key, requestHash: row.request_hash, userId: row.user_id, user: row.body };
}

/**
 * Takes a deleted user out of the answers; the keys stay, so that none creates anew. The hash of
 * the request goes too: whoever guesses a name and a date could tell by it that they are right.
 */
export async function forgetAnswers(em: SqlEntityManager, userId: string): Promise<void> {
  await em.execute(
    "update users.idempotency_keys set body = null, request_hash = '' where user_id = ?",
    [userId],
  );
}
