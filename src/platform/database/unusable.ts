/** Why a database cannot be used, and how to fix it. */
import { errorCode, isServerAway, loggableMessage, READ_ONLY } from '../errors.ts';

/**
 * Thrown when the database cannot be used; the message says why and how to fix it, without secrets.
 */
export class DatabaseUnusableError extends Error {
  override readonly name = 'DatabaseUnusableError';
  readonly code = 'database-unusable';
}

/**
 * The reason, from the SQLSTATE or Node's code and PostgreSQL's own message; null if the error is
 * not the database's. Contains no values, addresses or secrets.
 */
export function whyUnusable(error: unknown): string | null {
  if (error instanceof DatabaseUnusableError) return error.message;
  const code = errorCode(error);
  const message = messageOf(error, code);
  const found = REASONS.find(([codes, words]) => codes.test(code) && words.test(message));
  if (found !== undefined) return code === '' ? found[2] : `${found[2]} (${code})`;
  // Node's messages contain the address.
  const words = SQLSTATE.test(code) ? [code, message].filter(Boolean).join(': ') : code || message;
  if (isServerAway(error)) return `it cannot be reached (${words})`;
  return SQLSTATE.test(code) ? `it answers ${words}` : null;
}

const SQLSTATE = /^[0-9A-Z]{5}$/;
const ANY = /^/;
const ROLES = 'deploy/postgres/roles.sql';

/** SQLSTATE or Node's code, PostgreSQL's words, and what they mean here; the first match counts. */
const REASONS: readonly (readonly [RegExp, RegExp, string])[] = [
  [/^28P01$/, ANY, 'it refuses the password of the user in DATABASE_URL'],
  [
    /^28000$/,
    /no encryption|SSL off/,
    'it does not let this user in without TLS: add sslmode=verify-full to DATABASE_URL (docs/deployment.md), or an entry to its pg_hba.conf',
  ],
  [
    /^28000$/,
    /client certificate/,
    'it wants a client certificate: set sslcert and sslkey in DATABASE_URL',
  ],
  [
    /^28000$/,
    /pg_hba\.conf/,
    'its pg_hba.conf does not let this user into this database from here',
  ],
  [/^28000$/, /does not exist/, `it has no user of this name: ${ROLES} creates them`],
  [/^28000$/, ANY, 'it refuses the user in DATABASE_URL'],
  [/^3D000$/, ANY, 'it has no database of this name: npm run migrate -- --create creates it'],
  [/^(42P01|3F000)$/, ANY, 'it has not been migrated: npm run migrate'],
  [
    /^42501$/,
    /database|schema public/,
    `the user may not create anything in it; ${ROLES} has who may`,
  ],
  [/^42501$/, ANY, `the user lacks a right that ${ROLES} grants`],
  [new RegExp(`^${READ_ONLY}$`), ANY, 'it is read-only: a standby, or a failover is under way'],
  [
    /^08P01$/,
    /statement pooling/,
    'its pooler is in statement mode: Daybell needs transaction or session mode',
  ],
  [
    /^53300$/,
    ANY,
    'it has no connection left: see max_connections, and DATABASE_POOL of each process',
  ],
  [/^57P03$/, ANY, 'it is starting or stopping'],
  [/^ECONNREFUSED$/, ANY, 'nothing listens there'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, ANY, 'the name of its host is not known'],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    ANY,
    'its certificate is for another host (sslmode verify-full)',
  ],
  [
    /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ISSUER/,
    ANY,
    'its certificate is not of a trusted authority; sslrootcert names one',
  ],
  [/^$/, /^The server does not support SSL/, 'it does not speak TLS, and sslmode asks for it'],
];

/** The message of the error that has the code; empty if it must not be shown. */
function messageOf(error: unknown, code: string): string {
  let at = error;
  while (at instanceof Error && at.cause instanceof Error && !('code' in at && at.code === code)) {
    at = at.cause;
  }
  return at instanceof Error ? (loggableMessage(at) ?? '') : '';
}
