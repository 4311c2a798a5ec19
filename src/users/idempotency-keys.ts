import { createHash } from 'node:crypto';

import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { UserError } from './errors.ts';

/** The request that a key stands for. */
export interface KeyedRequest {
  readonly key: string;
  /** What the request creates. */
  readonly creates: 'user' | 'occasion';
  /** The user that is created, or is given an occasion. */
  readonly userId: string;
  /** Everything that distinguishes this request: checked input, whose fields have a fixed order. */
  readonly input: object;
}

interface KeptAnswer<Created> {
  /** Empty once the created resource was deleted. */
  readonly requestHash: string;
  /** The created resource, as it was then; null once deleted. */
  readonly created: Created | null;
}

/**
 * Claims a key for a request. Returns what an earlier request with the key and the same input
 * created; null if there was none. The primary key makes a concurrent request wait until the first
 * transaction has ended.
 *
 * @throws UserError idempotency-key-reused, idempotent-user-deleted, idempotent-occasion-deleted
 */
export async function claimKey<Created>(
  em: SqlEntityManager,
  request: KeyedRequest,
): Promise<Created | null> {
  const { key, creates, userId } = request;
  const requestHash = hashOf(request);
  const claimed = await em.execute<unknown[]>(CLAIM, { key, requestHash, userId });
  if (claimed.length > 0) return null;
  const [earlier] = await em.execute<KeptAnswer<Created>[]>(FIND, { key });
  // Removed between the two statements, as happens to old keys: it is free now.
  if (earlier === undefined) return claimKey(em, request);
  if (earlier.created === null) throw new UserError(`idempotent-${creates}-deleted`);
  if (earlier.requestHash !== requestHash) throw new UserError('idempotency-key-reused');
  return earlier.created;
}

/** Hashes the fields, not the bytes: whitespace and the order of fields do not matter. */
function hashOf({ creates, userId, input }: KeyedRequest): string {
  // The id of a user that is being created is different in each request.
  const of = creates === 'user' ? creates : userId;
  return createHash('sha256')
    .update(JSON.stringify([of, input]))
    .digest('base64url');
}

/** Stores the response to a request, in the transaction that claimed its key. */
export async function keepAnswer(
  em: SqlEntityManager,
  key: string,
  created: object,
): Promise<void> {
  await em.execute('update users.idempotency_keys set body = :body::jsonb where key = :key', {
    key,
    body: JSON.stringify(created),
  });
}

/**
 * Removes a deleted user with all of its occasions, or one deleted occasion, from the stored
 * responses. The keys stay, so that no retry creates it again; the hash is removed too, as it would
 * confirm a guess of name and date.
 */
export async function forgetAnswers(
  em: SqlEntityManager,
  userId: string,
  occasionId: string | null = null,
): Promise<void> {
  await em.execute(
    `update users.idempotency_keys set body = null, request_hash = ''
     where user_id = :userId::uuid and (:occasionId::text is null or body->>'id' = :occasionId::text)`,
    { userId, occasionId },
  );
}

const CLAIM = `
  insert into users.idempotency_keys (key, request_hash, user_id, created_at)
  values (:key, :requestHash, :userId::uuid, users.clock())
  on conflict (key) do nothing
  returning key`;

const FIND = `
  select request_hash as "requestHash", body as "created"
  from users.idempotency_keys where key = :key`;
