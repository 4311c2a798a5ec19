import { setTimeout as sleep } from 'node:timers/promises';

import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { errorCode, isServerAway } from '../errors.ts';
import { createDatabase } from './create-database.ts';
import { isUpToDate, placeOf } from './identity.ts';
import { migrationsList, type Query, recordCompatibility } from './migrations.ts';
import { connectOrm, type Orm } from './orm.ts';
import { DatabaseUnusableError, whyUnusable } from './unusable.ts';

/** Runs after the migrations, in the same transaction. */
export type AfterMigration = (em: SqlEntityManager) => Promise<unknown>;

export interface MigrationOptions {
  /** How long to wait for a database that is not up yet. */
  readonly waitMs: number;
  /** Called once, when the wait begins. */
  readonly onWaiting: (where: string) => void;
  /** Whether to create a missing database. */
  readonly create?: boolean;
  readonly afterwards?: AfterMigration;
}

const RETRY_AFTER_MS = 500;

/**
 * Runs the pending migrations, waiting for a database that is still starting; returns their names.
 *
 * @throws DatabaseUnusableError, InvalidSettingsError
 */
export async function runMigrations(
  databaseUrl: string,
  { waitMs, onWaiting, afterwards, create = false }: MigrationOptions,
): Promise<string[]> {
  const where = placeOf(databaseUrl);
  const giveUpAt = performance.now() + waitMs;
  for (let waiting = false; ; waiting = true) {
    const orm = await connectOrm(databaseUrl, { poolSize: 2, queryTimeoutMs: 0 });
    try {
      return await migrate(orm, afterwards);
    } catch (error) {
      const why = whyUnusable(error);
      if (create && errorCode(error) === NO_SUCH_DATABASE) await createDatabase(databaseUrl);
      else if (!isServerAway(error)) {
        if (why === null) throw error;
        throw new DatabaseUnusableError(`The database at ${where} cannot be used: ${why}.`);
      } else if (performance.now() >= giveUpAt) {
        throw new DatabaseUnusableError(
          `The database at ${where} could not be used within ${Math.round(waitMs / 1000)} s: ${why}. Is it running, and is DATABASE_URL right?`,
        );
      } else if (!waiting) onWaiting(where);
    } finally {
      await orm.close(true);
    }
    await sleep(RETRY_AFTER_MS);
  }
}

/**
 * Runs the pending migrations in one transaction; returns their names. If two do so at the same
 * time, the second waits and finds nothing left to do.
 *
 * @throws InvalidSettingsError when the database is not Daybell's, or of a newer version that this
 *   one is not compatible with
 */
export async function migrate(orm: Orm, afterwards?: AfterMigration): Promise<string[]> {
  return orm.em.fork().transactional(async (em) => {
    const query: Query = (sql, parameters = {}) => em.execute(sql, parameters);
    await query('select pg_advisory_xact_lock(:lock)', { lock: MIGRATION_LOCK });
    // Checked again: the process that held the lock may have been a newer version.
    await isUpToDate(query, orm.config.get('clientUrl') ?? '');
    // In this transaction, so that no process sees a migration without its compatibility.
    const transaction = em.getTransactionContext();
    const ran = await orm.migrator.up(transaction === undefined ? {} : { transaction });
    await recordCompatibility(query, migrationsList);
    await afterwards?.(em);
    return ran.map((migration) => migration.name);
  });
}

/** An arbitrary number that nothing else in this database locks. */
const MIGRATION_LOCK = 0xda7be11;

const NO_SUCH_DATABASE = '3D000';
