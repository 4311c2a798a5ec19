/** The process `migrate`: brings the database's schema up to this version's, and ends. */
import { InvalidSettingsError, loadSettings, requireSettings } from '../config/settings.ts';
import { describeError } from '../observability/describe-error.ts';
import { createLogger } from '../observability/logger.ts';
import { DatabaseUnusableError, runMigrations } from './run-migrations.ts';

/** As long as a database that was started together with this may take. */
const WAIT_MS = 30_000;
/** EX_CONFIG of sysexits.h: starting again would not help. */
const EXIT_CONFIG = 78;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { DATABASE_URL, LOG_LEVEL } = requireSettings(loadSettings(), 'DATABASE_URL');
    return await migrateOnce(DATABASE_URL, LOG_LEVEL);
  } catch (error) {
    if (!(error instanceof InvalidSettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT_CONFIG;
  }
}

async function migrateOnce(databaseUrl: string, logLevel: string): Promise<number> {
  const logger = createLogger('migrate', logLevel);
  try {
    const migrations = await runMigrations(databaseUrl, {
      waitMs: WAIT_MS,
      onWaiting: (where) => logger.info({ where }, 'waiting for the database'),
    });
    logger.info({ migrations }, migrations.length > 0 ? 'migrated' : 'nothing to migrate');
    return 0;
  } catch (error) {
    if (error instanceof InvalidSettingsError) throw error;
    if (error instanceof DatabaseUnusableError) logger.fatal(error.message);
    else logger.fatal({ error: describeError(error) }, 'the migration failed');
    return 1;
  }
}
