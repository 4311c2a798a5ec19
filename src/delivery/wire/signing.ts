import { Webhook } from 'standardwebhooks';

/**
 * Returns the headers that prove who sent a body, and when.
 *
 * @param timestamp Unix seconds, as in `webhook-timestamp`
 */
export type Sign = (id: string, timestamp: number, body: string) => Record<string, string>;

/**
 * Signs as Standard Webhooks says (symmetric, v1), with every secret, so that a receiver may hold
 * any of them while they rotate.
 *
 * @param secrets `whsec_…`, the newest first: its signature comes first
 * @throws Error if a secret is not base64, or there is none
 */
export function createSign(secrets: readonly string[]): Sign {
  if (secrets.length === 0) throw new Error('There is no secret to sign with.');
  // Created once: decoding a secret costs about as much as a signature.
  const webhooks = secrets.map((secret) => new Webhook(secret));
  return (id, timestamp, body) => {
    const sentAt = new Date(timestamp * 1000);
    const signatures = webhooks.map((webhook) => webhook.sign(id, sentAt, body));
    return { 'webhook-signature': signatures.join(' ') };
  };
}
