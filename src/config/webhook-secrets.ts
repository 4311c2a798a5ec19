/** Secrets that webhooks are signed with, as Standard Webhooks writes them: `whsec_` and base64. */
import { randomBytes } from 'node:crypto';

export interface ParsedSecrets {
  /** In the order given: the newest first. */
  readonly secrets: readonly string[];
  /** In words, by the number of the secret; never with any part of it. */
  readonly faults: readonly string[];
}

const PREFIX = 'whsec_';
/** Standard Webhooks, "Signature scheme": 192 to 512 bits. */
const LEAST_BYTES = 24;
const MOST_BYTES = 64;
const NEW_BYTES = 32;

/** A comma-separated list of secrets, with every fault of each. */
export function parseWebhookSecrets(list: string): ParsedSecrets {
  const secrets = list.split(',').map((secret) => secret.trim());
  const faults = secrets.flatMap((secret, index) => {
    const fault =
      faultOf(secret) ?? (secrets.indexOf(secret) < index ? 'is there twice' : undefined);
    return fault === undefined ? [] : [`secret ${index + 1} of ${secrets.length} ${fault}`];
  });
  return { secrets, faults };
}

/** A secret that nobody had before: 32 random bytes. */
export function newWebhookSecret(): string {
  return PREFIX + randomBytes(NEW_BYTES).toString('base64');
}

function faultOf(secret: string): string | undefined {
  if (secret === '') return 'is empty';
  if (!secret.startsWith(PREFIX)) return `must begin with ${PREFIX}`;
  const encoded = secret.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64');
  // Node reads other spellings too; another verifier would read other bytes out of them.
  if (bytes.toString('base64') !== encoded) {
    return `must be standard base64 after ${PREFIX}, with its padding (RFC 4648, 4)`;
  }
  if (bytes.length < LEAST_BYTES || bytes.length > MOST_BYTES) {
    return `holds ${bytes.length} bytes; must hold from ${LEAST_BYTES} to ${MOST_BYTES}`;
  }
  return undefined;
}
