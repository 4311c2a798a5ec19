/** Keys that encrypt what Daybell sends to Temporal: `id:base64`, of 32 bytes each. */
import { randomBytes } from 'node:crypto';

import { EntryError, parseBase64, secretList } from './secret-list.ts';

export interface PayloadKey {
  /** Stored in Temporal in the clear, next to what is encrypted. */
  readonly id: string;
  readonly key: Buffer;
}

export interface PayloadKeys {
  /** Encrypts new data; null: nothing is encrypted. */
  readonly current: PayloadKey | null;
  /** Decrypt data written with any of them. */
  readonly all: readonly PayloadKey[];
}

/** As the first entry: the other keys only decrypt. */
const NONE = 'none';
const ID = /^[\w.-]{1,64}$/;
/** AES-256. */
const KEY_BYTES = 32;

/** The first one encrypts. */
export const payloadKeys = secretList('key', parseEntry).transform((entries, context) => {
  const all = entries.filter((entry) => entry !== null);
  if (all.length === 0) {
    context.addIssue({ code: 'custom', message: `there is no key after ${NONE}` });
  }
  return { current: entries[0] ?? null, all } satisfies PayloadKeys;
});

/** A new, random key, in the form of the setting. */
export function newPayloadKey(): string {
  return `${randomBytes(4).toString('hex')}:${randomBytes(KEY_BYTES).toString('base64')}`;
}

/** Null for `none`. */
function parseEntry(text: string, others: readonly (PayloadKey | null)[]): PayloadKey | null {
  if (text === NONE && others.length === 0) return null;
  const colon = text.indexOf(':');
  if (colon === -1) throw new EntryError('must be an id, a colon, and 32 bytes in base64');
  const id = text.slice(0, colon);
  if (!ID.test(id)) {
    throw new EntryError(
      'must have an id of 1 to 64 letters, digits, dots, hyphens and underscores',
    );
  }
  const key = parseBase64(text.slice(colon + 1), 'its id');
  if (key.length !== KEY_BYTES) {
    throw new EntryError(`holds ${key.length} bytes; must hold ${KEY_BYTES} (AES-256)`);
  }
  if (others.some((other) => other?.id === id)) throw new EntryError('has the same id as another');
  return { id, key };
}
