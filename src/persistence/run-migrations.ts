import { setTimeout as sleep } from 'node:timers/promises';

import { errorCode, isServerAway } from '../observability/connection-errors.ts';
import { placeOf } from './database-guard.ts';
import { type AfterMigration, connectOrm, migrate } from './orm.ts';

export interface MigrationOptions {
  /** How long a database that is not up yet is waited for. */
  readonly waitMs: number;
  /** Told once, when it begins to wait. */
  readonly onWaiting: (where: string) => void;
  /** What else is written, in the transaction of the migrations. */
  readonly afterwards?: AfterMigration;
}

/** Thrown when the database cannot be used; the message says which and why, without secrets. */
export class DatabaseUnusableError extends Error {
  override readonly name = 'DatabaseUnusableError';
  readonly code = 'database-unusable';
}

const RETRY_AFTER_MS = 500;

/**
 * Runs the migrations that are pending, waiting for a database that is still starting;
 * gives their names.
 *
 * @throws DatabaseUnusableError, InvalidSettingsError
 */
export async function runMigrations(
  databaseUrl: string,
  { waitMs, onWaiting, afterwards }: MigrationOptions,
): Promise<string[]> {
  const where = placeOf(databaseUrl);
  const giveUpAt = performance.now() + waitMs;
  for (let waiting = false; ; waiting = true) {
    const orm = await connectOrm(databaseUrl, { poolSize: 2, queryTimeoutMs: 0 });
    try {
      return await migrate(orm, afterwards);
    } catch (error) {
      if (!isServerAway(error)) throw unusable(where, error);
      if (performance.now() >= giveUpAt) throw away(where, errorCode(error), waitMs);
      if (!waiting) onWaiting(where);
    } finally {
      await orm.close(true);
    }
    await sleep(RETRY_AFTER_MS);
  }
}

/** SQLSTATEs that a wrong DATABASE_URL leads to. */
const WRONG: Readonly<Record<string, string>> = {
  '28P01': 'it refuses the password',
  '28000': 'it refuses the user',
  '3D000': 'it has no such database',
  '42501': 'the user may not change the schema',
};

function away(where: string, code: string, waitMs: number): DatabaseUnusableError {
  const seconds = Math.round(waitMs / 1000);
  return new DatabaseUnusableError(
    `The database at ${where} could not be reached within ${seconds} s (${code}). Is it running, and is DATABASE_URL right?`,
  );
}

/** What Node says of certificates, and the driver of a server without TLS, which has no code. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ISSUER/;
const WITHOUT_TLS = 'The server does not support SSL connections';

function tlsFault(cause: unknown): string | undefined {
  const code = errorCode(cause);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'its certificate is for another host (sslmode verify-full)';
  }
  if (CERTIFICATE.test(code)) {
    return `its certificate is not of an authority that is trusted (${code}); sslrootcert names one`;
  }
  for (let at = cause; at instanceof Error; at = at.cause) {
    if (at.message.startsWith(WITHOUT_TLS)) return 'it does not speak TLS, and sslmode asks for it';
  }
  return undefined;
}

function unusable(where: string, cause: unknown): unknown {
  const why = WRONG[errorCode(cause)] ?? tlsFault(cause);
  if (why === undefined) return cause;
  return new DatabaseUnusableError(`The database at ${where} cannot be used: ${why}.`);
}
