import { randomBytes } from 'node:crypto';

/** A secret of Standard Webhooks: `whsec_` and 24 random bytes in base64. */
export function newSecret(): string {
  return `whsec_${randomBytes(24).toString('base64')}`;
}
