import { createHmac, createSecretKey } from 'node:crypto';

import { parseBase64 } from '../../platform/settings/secret-list.ts';

/**
 * Returns the headers that prove who sent a body, and when.
 *
 * @param timestamp Unix seconds, as in `webhook-timestamp`
 */
export type Sign = (id: string, timestamp: number, body: string) => Record<string, string>;

/** Of a secret, before its base64. */
const PREFIX = 'whsec_';

/**
 * Signs according to Standard Webhooks (symmetric, v1), with every secret, so that a receiver may
 * hold any of them during a rotation. Node's HMAC takes a third of the time of the one in the
 * package `standardwebhooks`.
 *
 * @param secrets `whsec_…`, the newest first: its signature comes first
 * @throws Error if a secret is not base64, or there is none
 */
export function createSign(secrets: readonly string[]): Sign {
  if (secrets.length === 0) throw new Error('There is no secret to sign with.');
  // Created once: decoding a secret costs about as much as a signature.
  const keys = secrets.map((secret) =>
    createSecretKey(parseBase64(secret.replace(PREFIX, ''), PREFIX)),
  );
  return (id, timestamp, body) => {
    const content = `${id}.${timestamp}.${body}`;
    const signatures = keys.map(
      (key) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`,
    );
    return { 'webhook-signature': signatures.join(' ') };
  };
}
