/** Bearer tokens (RFC 6750): API keys and the codec's token. Only their hashes are compared. */
import { createHash } from 'node:crypto';

/** The token of an `Authorization` header, or null if it has none. A token contains no spaces. */
export function bearerToken(authorization: string | undefined): string | null {
  return /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? null;
}

/** Neither salted nor stretched, as passwords are: a token is random, 128 bits or more (ADR 12). */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
