/** Keys that what Daybell tells Temporal is encrypted with: `id:base64`, of 32 bytes each. */
import { randomBytes } from 'node:crypto';

export interface PayloadKey {
  /** Stands in Temporal beside what is encrypted, in the clear. */
  readonly id: string;
  readonly key: Buffer;
}

export interface PayloadKeys {
  /** What is written from now on is encrypted with this one; null: it is not. */
  readonly current: PayloadKey | null;
  /** What was written with any of these can be read. */
  readonly all: readonly PayloadKey[];
}

export interface ParsedPayloadKeys {
  readonly keys: PayloadKeys;
  /** In words, by the number of the key; never with any part of it. */
  readonly faults: readonly string[];
}

/** In the first place: keys that are known already, or still, and not written with. */
const NONE = 'none';
const ID = /^[\w.-]{1,64}$/;
/** AES-256. */
const KEY_BYTES = 32;

/** A comma-separated list of keys, with every fault of each; the first encrypts. */
export function parsePayloadKeys(list: string): ParsedPayloadKeys {
  const entries = list.split(',').map((entry) => entry.trim());
  const isOff = entries[0] === NONE;
  const parsed = (isOff ? entries.slice(1) : entries).map(parse);
  const all = parsed.flatMap(({ key }) => (key === undefined ? [] : [key]));
  const faults = parsed.flatMap(({ key, fault }, index) => {
    const isTwice = key !== undefined && all.findIndex(({ id }) => id === key.id) < index;
    const found = fault ?? (isTwice ? 'has the id of another one' : undefined);
    return found === undefined ? [] : [`key ${index + 1} of ${parsed.length} ${found}`];
  });
  if (parsed.length === 0) faults.push(`there is no key after ${NONE}`);
  return { keys: { current: isOff ? null : (all[0] ?? null), all }, faults };
}

/** A key that nobody had before, as the setting has it. */
export function newPayloadKey(): string {
  return `${randomBytes(4).toString('hex')}:${randomBytes(KEY_BYTES).toString('base64')}`;
}

function parse(entry: string): { readonly key?: PayloadKey; readonly fault?: string } {
  const colon = entry.indexOf(':');
  if (colon === -1) return { fault: 'must be an id, a colon, and 32 bytes in base64' };
  const id = entry.slice(0, colon);
  const encoded = entry.slice(colon + 1);
  if (!ID.test(id)) {
    return { fault: 'must have an id of 1 to 64 letters, digits, dots, hyphens and underscores' };
  }
  const key = Buffer.from(encoded, 'base64');
  // Node reads other spellings too; another program would read other bytes out of them.
  if (key.toString('base64') !== encoded) {
    return { fault: 'must be standard base64 after its id, with its padding (RFC 4648, 4)' };
  }
  if (key.length !== KEY_BYTES) {
    return { fault: `holds ${key.length} bytes; must hold ${KEY_BYTES} (AES-256)` };
  }
  return { key: { id, key } };
}
