/** Secrets that sign webhooks, as Standard Webhooks writes them: `whsec_` and base64. */
import { createHash, randomBytes } from 'node:crypto';

import { EntryError, parseBase64, secretList } from './secret-list.ts';

const PREFIX = 'whsec_';
/** Standard Webhooks, "Signature scheme": 192 to 512 bits. */
const LEAST_BYTES = 24;
const MOST_BYTES = 64;
const NEW_BYTES = 32;

/** The newest first. */
export const webhookSecrets = secretList('secret', (secret, others: readonly string[]): string => {
  if (secret === '') throw new EntryError('is empty');
  if (!secret.startsWith(PREFIX)) throw new EntryError(`must begin with ${PREFIX}`);
  const { length } = parseBase64(secret.slice(PREFIX.length), PREFIX);
  if (length < LEAST_BYTES || length > MOST_BYTES) {
    throw new EntryError(`holds ${length} bytes; must hold from ${LEAST_BYTES} to ${MOST_BYTES}`);
  }
  if (others.includes(secret)) throw new EntryError('is listed twice');
  return secret;
});

/**
 * Identifies a secret without showing it: the first 8 hexadecimal digits of the
 * SHA-256 of its text, as `printf %s "$SECRET" | sha256sum` has them.
 */
export function secretFingerprint(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 8);
}

/** A new, random secret. */
export function newWebhookSecret(): string {
  return PREFIX + randomBytes(NEW_BYTES).toString('base64');
}
