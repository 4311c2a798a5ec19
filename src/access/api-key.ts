/** Keys of the API: never kept, only their hashes. */
import { createHash, timingSafeEqual } from 'node:crypto';

import type { Scope } from './scope.ts';

export interface ApiKey {
  /** Whose it is, for the log. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly sha256: Buffer;
}

/**
 * What is kept of a key. Without salt or stretching: those are for passwords, which can be guessed;
 * a key is 32 random bytes (ADR 12).
 */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** The key that was presented, or null. All are compared, each in constant time. */
export function findApiKey(keys: readonly ApiKey[], presented: string): ApiKey | null {
  const sha256 = hashApiKey(presented);
  let found: ApiKey | null = null;
  for (const key of keys) if (timingSafeEqual(key.sha256, sha256)) found = key;
  return found;
}
