import { setTimeout as sleep } from 'node:timers/promises';

import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { errorCode, isServerAway } from '../errors.ts';
import { isUpToDate, placeOf } from './identity.ts';
import { migrationsList, type Query, recordCompatibility } from './migrations.ts';
import { connectOrm, type Orm } from './orm.ts';

/** Runs in the transaction of the migrations, after them. */
export type AfterMigration = (em: SqlEntityManager) => Promise<unknown>;

export interface MigrationOptions {
  /** How long to wait for a database that is not up yet. */
  readonly waitMs: number;
  /** Called once, when it begins to wait. */
  readonly onWaiting: (where: string) => void;
  readonly afterwards?: AfterMigration;
}

/** Thrown when the database cannot be used; the message says which and why, without secrets. */
export class DatabaseUnusableError extends Error {
  override readonly name = 'DatabaseUnusableError';
  readonly code = 'database-unusable';
}

const RETRY_AFTER_MS = 500;

/**
 * Runs the pending migrations, waiting for a database that is still starting; returns their names.
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
      if (!isServerAway(error)) throw explained(where, error);
      if (performance.now() >= giveUpAt) {
        throw new DatabaseUnusableError(
          `The database at ${where} could not be reached within ${Math.round(waitMs / 1000)} s (${errorCode(error)}). Is it running, and is DATABASE_URL right?`,
        );
      }
      if (!waiting) onWaiting(where);
    } finally {
      await orm.close(true);
    }
    await sleep(RETRY_AFTER_MS);
  }
}

/**
 * Runs the pending migrations in one transaction; returns their names. Of two that do so at the
 * same time, the second waits and finds nothing left to do.
 *
 * @throws InvalidSettingsError when the database is not Daybell's, or of a newer version that this
 *   one is not compatible with
 */
export async function migrate(orm: Orm, afterwards?: AfterMigration): Promise<string[]> {
  return orm.em.fork().transactional(async (em) => {
    const query: Query = (sql, parameters = {}) => em.execute(sql, parameters);
    await query('select pg_advisory_xact_lock(:lock)', { lock: MIGRATION_LOCK });
    // Again: the process that held the lock may have been of a newer version.
    await isUpToDate(query, orm.config.get('clientUrl') ?? '');
    // In this transaction, so that no process sees a migration without its compatibility.
    const transaction = em.getTransactionContext();
    const ran = await orm.migrator.up(transaction === undefined ? {} : { transaction });
    await recordCompatibility(query, migrationsList);
    await afterwards?.(em);
    return ran.map((migration) => migration.name);
  });
}

/** Any number that nothing else in this database locks. */
const MIGRATION_LOCK = 0xda7be11;

/** SQLSTATEs, and codes of Node, that a wrong DATABASE_URL leads to. */
const WRONG: Readonly<Record<string, string>> = {
  '28P01': 'it refuses the password',
  '28000': 'it refuses the user',
  '3D000': 'it has no such database',
  '42501': 'the user may not change the schema',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host (sslmode verify-full)',
};

/** Node's other codes of certificates, and the driver's message, without a code, for a server without TLS. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ISSUER/;
const WITHOUT_TLS = 'The server does not support SSL connections';

function explained(where: string, error: unknown): unknown {
  const code = errorCode(error);
  const why = WRONG[code] ?? (CERTIFICATE.test(code) ? untrusted(code) : withoutTls(error));
  return why === null
    ? error
    : new DatabaseUnusableError(`The database at ${where} cannot be used: ${why}.`);
}

function untrusted(code: string): string {
  return `its certificate is not of a trusted authority (${code}); sslrootcert names one`;
}

function withoutTls(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at.message.startsWith(WITHOUT_TLS)) return 'it does not speak TLS, and sslmode asks for it';
  }
  return null;
}
