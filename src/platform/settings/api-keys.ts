/** Keys of the API as `API_KEYS` writes them, `name:scopes:sha256`, and new ones. */
import { randomBytes } from 'node:crypto';

import { type ApiKey, type Scope, SCOPES } from '../../access/api-key.ts';
import { hashToken } from '../../access/bearer.ts';
import { EntryError, secretList } from './secret-list.ts';

/** Lets people and scanners recognize a key wherever they find it. */
const PREFIX = 'daybell_';
const NEW_BYTES = 32;
/** The form that `npm run key:new` prints: 32 bytes in base64url. */
export const API_KEY_FORM = new RegExp(`^${PREFIX}[\\w-]{43}$`);
/** The name is in every line of the log. */
const NAME_FORM = /^[\w.-]{1,64}$/;
/** Scopes contain colons themselves: the name ends at the first, the hash begins after the last. */
const ENTRY = /^([^:]*):(.*):([^:]*)$/;

export const apiKeys = secretList('key', (text, others: readonly ApiKey[]): ApiKey => {
  const [, name, scopes, hash] = ENTRY.exec(text) ?? [];
  if (name === undefined || scopes === undefined || hash === undefined) {
    throw new EntryError('must be name:scopes:sha256');
  }
  if (hash.startsWith(PREFIX)) {
    throw new EntryError('must end with the SHA-256 of the key, not with the key');
  }
  if (!/^[\da-f]{64}$/.test(hash)) {
    throw new EntryError('must end with a SHA-256 of 64 hexadecimal digits');
  }
  const key = {
    name: checkKeyName(name),
    scopes: parseScopes(scopes.split('+')),
    sha256: Buffer.from(hash, 'hex'),
  };
  // Two keys with the same name could not be distinguished in the log; a repeated key is a mistake.
  if (others.some((other) => other.name === name)) {
    throw new EntryError('has the same name as another');
  }
  if (others.some(({ sha256 }) => sha256.equals(key.sha256))) {
    throw new EntryError('is listed twice');
  }
  return key;
});

/** A new, random key for a client, and the entry of `API_KEYS` for it. */
export function newApiKey(name: string, scopes: readonly Scope[]): { key: string; entry: string } {
  const key = PREFIX + randomBytes(NEW_BYTES).toString('base64url');
  return { key, entry: `${name}:${scopes.join('+')}:${hashToken(key).toString('hex')}` };
}

/** @throws EntryError */
export function checkKeyName(name: string): string {
  if (NAME_FORM.test(name)) return name;
  throw new EntryError('must have a name of 1 to 64 letters, digits, ".", "_" or "-"');
}

/** @throws EntryError */
export function parseScopes(texts: readonly string[]): readonly Scope[] {
  const scopes = SCOPES.filter((scope) => texts.includes(scope));
  if (scopes.length === texts.length) return scopes;
  throw new EntryError(`must have scopes of ${SCOPES.join(', ')}, each once`);
}
