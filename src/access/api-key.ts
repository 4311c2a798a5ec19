/** API keys. Only their hashes are kept. */
import { timingSafeEqual } from 'node:crypto';

import { hashToken } from './bearer.ts';

/** What a key can be allowed to do. Writing does not include reading. */
export const SCOPES = ['users:read', 'users:write', 'deliveries:read', 'deliveries:write'] as const;

export type Scope = (typeof SCOPES)[number];

export interface ApiKey {
  /** For the log. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly sha256: Buffer;
}

/** Finds the presented key, or returns null. Compares it with all keys, each in constant time. */
export function findApiKey(keys: readonly ApiKey[], presented: string): ApiKey | null {
  const sha256 = hashToken(presented);
  let found: ApiKey | null = null;
  for (const key of keys) if (timingSafeEqual(key.sha256, sha256)) found = key;
  return found;
}
