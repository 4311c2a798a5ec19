/**
 * The process `migrate`: brings the database's schema up to this version's, records the settings
 * and the tz database that decide dates from now on, and ends.
 */
import {
  InvalidSettingsError,
  loadSettings,
  requireSettings,
  type Settings,
} from '../config/settings.ts';
import { describeError } from '../observability/describe-error.ts';
import { createLogger } from '../observability/logger.ts';
import { recordRules, type DateRulesRecord } from '../planning/rules.ts';
import { loadTzDatabase } from '../platform/load-tz-database.ts';
import { DatabaseUnusableError, runMigrations } from './run-migrations.ts';

/** As long as a database that was started together with this may take. */
const WAIT_MS = 30_000;
/** EX_CONFIG of sysexits.h: starting again would not help. */
const EXIT_CONFIG = 78;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const settings = requireSettings(loadSettings(), 'DATABASE_URL');
    return await migrateOnce(settings.DATABASE_URL, rulesOf(settings), settings.LOG_LEVEL);
  } catch (error) {
    if (!(error instanceof InvalidSettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT_CONFIG;
  }
}

/** @throws InvalidSettingsError when there is no such zone data */
function rulesOf(settings: Settings): DateRulesRecord {
  return {
    localTime: settings.DELIVERY_LOCAL_TIME,
    leapDayPolicy: settings.LEAP_DAY_POLICY,
    tzVersion: loadTzDatabase(settings.ZONE_DATA).version,
  };
}

async function migrateOnce(
  databaseUrl: string,
  rules: DateRulesRecord,
  logLevel: string,
): Promise<number> {
  const logger = createLogger('migrate', logLevel);
  let isNew = false;
  try {
    const migrations = await runMigrations(databaseUrl, {
      waitMs: WAIT_MS,
      onWaiting: (where) => logger.info({ where }, 'waiting for the database'),
      async afterwards(em) {
        isNew = await recordRules(em, rules);
      },
    });
    if (isNew) logger.info({ ...rules }, 'these decide dates from now on');
    logger.info({ migrations }, migrations.length > 0 ? 'migrated' : 'nothing to migrate');
    return 0;
  } catch (error) {
    if (error instanceof InvalidSettingsError) throw error;
    if (error instanceof DatabaseUnusableError) logger.fatal(error.message);
    else logger.fatal({ error: describeError(error) }, 'the migration failed');
    return 1;
  }
}
