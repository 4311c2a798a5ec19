/** Sessions of the console: signed in with an API key, known by a cookie, kept in the database. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

import type { ApiKey } from '../access/api-key.ts';
import { queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';

/** Counted from the sign-in, however active the session is. */
export const SESSION_HOURS = 12;
/** A stolen token works no longer than this, unless the thief renews it before its owner does. */
const ROTATE_AFTER = '30 minutes';
/**
 * How long the previous token stays valid: for requests sent with it before the change, and for a
 * browser that the new one has not reached because a response was lost.
 */
const OVERLAP = '1 minute';
const TOKEN_BYTES = 32;

export interface Session {
  readonly key: ApiKey;
  /** The token that each form of the session must send back. */
  readonly csrf: string;
  /** Replaces the one that was presented; null while that one stays valid. */
  readonly newToken: string | null;
}

export type Sessions = ReturnType<typeof createSessions>;

export const newToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

/** Only hashes of tokens are stored. Tokens are random: no need for salt or stretching (ADR 12). */
export function createSessions(orm: Orm, apiKeys: readonly ApiKey[]) {
  const query = queryOf(orm);

  return {
    /** Returns the token for the cookie. Also removes sessions that have expired. */
    async start({ name, sha256 }: ApiKey): Promise<string> {
      const token = newToken();
      await query(START, {
        hash: hash(token),
        name,
        key: sha256.toString('hex'),
        csrf: newToken(),
      });
      return token;
    },

    /**
     * Returns null if it has expired, was ended, or its key is no longer in the settings.
     *
     * An old token is replaced. Until the new one has been presented, the previous one gets the
     * same new one again: otherwise a lost response would sign the visitor out. From then on it
     * gets nothing, so that a stolen token does not lead to the new one.
     */
    async find(token: string, mayRotate: boolean): Promise<Session | null> {
      const [row] = await query<Row>(FIND, { hash: hash(token) });
      if (row === undefined) return null;
      const key = apiKeys.find(
        ({ name, sha256 }) => name === row.name && sha256.toString('hex') === row.key,
      );
      if (key === undefined) return null;
      if (row.isCurrent && row.rotationKey !== null) await query(CONFIRM, { hash: hash(token) });
      return { key, csrf: row.csrf, newToken: mayRotate ? await nextToken(token, row) : null };
    },

    async end(token: string): Promise<void> {
      await query(`delete from events.console_sessions where ${HAS_TOKEN}`, { hash: hash(token) });
    },
  };

  /**
   * Returns null if the token stays, or if another request has replaced it, whose response has the
   * new one.
   */
  async function nextToken(token: string, row: Row): Promise<string | null> {
    if (!row.isCurrent) return row.rotationKey === null ? null : derive(token, row.rotationKey);
    if (!row.isOld) return null;
    const rotationKey = newToken();
    const next = derive(token, rotationKey);
    const rotated = await query(ROTATE, { hash: hash(token), next: hash(next), rotationKey });
    return rotated.length === 0 ? null : next;
  }
}

/** Requires both: the browser's token, and a key that only the database has. */
function derive(token: string, rotationKey: string): string {
  return createHmac('sha256', rotationKey).update(token).digest('base64url');
}

/** Compares in constant time. */
export function isSameToken(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(hash(one)), Buffer.from(hash(other)));
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

interface Row {
  readonly name: string;
  readonly key: string;
  readonly csrf: string;
  /** Whether the token is the session's current one, not the previous one. */
  readonly isCurrent: boolean;
  readonly isOld: boolean;
  readonly rotationKey: string | null;
}

const START = `
  with over as (delete from events.console_sessions where expires_at <= events.clock())
  insert into events.console_sessions (token_hash, key_name, key_hash, csrf, expires_at)
  values (:hash, :name, :key, :csrf, events.clock() + interval '${SESSION_HOURS} hours')`;

const HAS_TOKEN = `(token_hash = :hash
  or previous_hash = :hash and rotated_at > events.clock() - interval '${OVERLAP}')`;

const FIND = `
  select key_name as name, key_hash as key, csrf, token_hash = :hash as "isCurrent",
    rotated_at < events.clock() - interval '${ROTATE_AFTER}' as "isOld",
    rotation_key as "rotationKey"
  from events.console_sessions
  where ${HAS_TOKEN} and expires_at > events.clock()`;

const ROTATE = `
  update events.console_sessions
  set previous_hash = token_hash, token_hash = :next, rotated_at = events.clock(),
    rotation_key = :rotationKey
  where token_hash = :hash
  returning token_hash`;

const CONFIRM = `
  update events.console_sessions set rotation_key = null where token_hash = :hash`;
