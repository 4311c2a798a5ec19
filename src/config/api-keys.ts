/** Keys of the API as `API_KEYS` writes them, `name:scopes:sha256`, and new ones. */
import { randomBytes } from 'node:crypto';

import { type ApiKey, hashApiKey } from '../access/api-key.ts';
import { type Scope, SCOPES } from '../access/scope.ts';

export interface ParsedApiKeys {
  readonly keys: readonly ApiKey[];
  /** In words, by the number of the key; never with any part of it. */
  readonly faults: readonly string[];
}

/** So that a key is known for one wherever it is found, by people and by scanners. */
const PREFIX = 'daybell_';
const NEW_BYTES = 32;
/** As `npm run key:new` prints one: 32 bytes in base64url. */
export const API_KEY_FORM = new RegExp(`^${PREFIX}[\\w-]{43}$`);
/** It is in every line of the log. */
const NAME_FORM = /^[\w.-]{1,64}$/;
/** Scopes have colons themselves: the name ends at the first, the hash begins after the last. */
const ENTRY = /^([^:]*):(.*):([^:]*)$/;

/** A comma-separated list of keys, with every fault of each. */
export function parseApiKeys(list: string): ParsedApiKeys {
  const entries = list.split(',').map((entry) => entry.trim());
  const keys: ApiKey[] = [];
  const faults = entries.flatMap((entry, index) => {
    const parsed = parseEntry(entry);
    const fault = typeof parsed === 'string' ? parsed : clashOf(parsed, keys);
    if (fault !== null) return [`key ${index + 1} of ${entries.length} ${fault}`];
    if (typeof parsed !== 'string') keys.push(parsed);
    return [];
  });
  return { keys, faults };
}

/** A key that nobody had before, to be given away, and what `API_KEYS` keeps of it. */
export function newApiKey(name: string, scopes: readonly Scope[]): { key: string; entry: string } {
  const key = PREFIX + randomBytes(NEW_BYTES).toString('base64url');
  return { key, entry: `${name}:${scopes.join('+')}:${hashApiKey(key).toString('hex')}` };
}

/** The rule that a name of a key breaks, or null. */
export function keyNameFault(name: string): string | null {
  return NAME_FORM.test(name) ? null : 'must have 1 to 64 letters, digits, ".", "_" or "-"';
}

/** The scopes in a text that separates them by `separator`, or the rule that it breaks. */
export function parseScopes(text: string, separator: string): readonly Scope[] | string {
  const scopes = text.split(separator).map((scope) => scope.trim());
  if (!scopes.every(isScope)) {
    return `must be of ${SCOPES.join(', ')}, with "${separator}" between them`;
  }
  return new Set(scopes).size < scopes.length ? 'must be there once each' : scopes;
}

function isScope(text: string): text is Scope {
  return SCOPES.some((scope) => scope === text);
}

function parseEntry(entry: string): ApiKey | string {
  const [, name, allowed, hash] = ENTRY.exec(entry) ?? [];
  if (name === undefined || allowed === undefined || hash === undefined) {
    return 'must be name:scopes:sha256';
  }
  const nameFault = keyNameFault(name);
  if (nameFault !== null) return `has a name that ${nameFault}`;
  const scopes = parseScopes(allowed, '+');
  if (typeof scopes === 'string') return `has scopes that ${scopes}`;
  if (hash.startsWith(PREFIX)) return 'must end with the SHA-256 of the key, not with the key';
  if (!/^[\da-f]{64}$/.test(hash)) return 'must end with a SHA-256 of 64 hexadecimal digits';
  return { name, scopes, sha256: Buffer.from(hash, 'hex') };
}

/** Two of one name could not be told apart in the log; the same key twice is a slip. */
function clashOf({ name, sha256 }: ApiKey, others: readonly ApiKey[]): string | null {
  if (others.some((other) => other.name === name)) return 'has the name of another';
  return others.some((other) => other.sha256.equals(sha256)) ? 'is there twice' : null;
}
