/** Keys that encrypt what Daybell gives Temporal: `id:base64`, of 32 bytes each. */
import { randomBytes } from 'node:crypto';

import { EntryError, parseBase64, parseList, splitList } from './secret-list.ts';

export interface PayloadKey {
  /** Stored in Temporal beside what is encrypted, in the clear. */
  readonly id: string;
  readonly key: Buffer;
}

export interface PayloadKeys {
  /** Encrypts what is written from now on; null: nothing is encrypted. */
  readonly current: PayloadKey | null;
  /** Decrypt what was written with any of them. */
  readonly all: readonly PayloadKey[];
}

/** As the first entry: the keys decrypt only. */
const NONE = 'none';
const ID = /^[\w.-]{1,64}$/;
/** AES-256. */
const KEY_BYTES = 32;

/** The first encrypts. */
export function parsePayloadKeys(list: string): {
  readonly keys: PayloadKeys;
  readonly faults: readonly string[];
} {
  const texts = splitList(list);
  const isOff = texts[0] === NONE;
  const { entries: all, faults } = parseList('key', isOff ? texts.slice(1) : texts, parseKey);
  return {
    keys: { current: isOff ? null : (all[0] ?? null), all },
    faults: isOff && texts.length === 1 ? [`there is no key after ${NONE}`] : faults,
  };
}

/** A new, random key, as the setting has it. */
export function newPayloadKey(): string {
  return `${randomBytes(4).toString('hex')}:${randomBytes(KEY_BYTES).toString('base64')}`;
}

function parseKey(text: string, others: readonly PayloadKey[]): PayloadKey {
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
  if (others.some((other) => other.id === id)) throw new EntryError('has the id of another one');
  return { id, key };
}
