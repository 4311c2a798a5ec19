/**
 * The process `migrate`: migrates the database's schema to this version, records the settings and
 * the tz database that decide dates from now on, and ends. With `--create` it first creates the
 * database if there is none.
 */
import { parseArgs } from 'node:util';

import { EXIT, runCommand } from './command.ts';
import {
  InvalidSettingsError,
  loadSettings,
  requireSettings,
} from '../platform/settings/settings.ts';
import { describeError } from '../platform/errors.ts';
import { createLogger } from '../platform/logger.ts';
import { recordLimits } from '../planning/date-settings.ts';
import { recordRules } from '../planning/rules.ts';
import { loadTzDatabase } from '../platform/load-tz-database.ts';
import { runMigrations } from '../platform/database/run-migrations.ts';
import { DatabaseUnusableError } from '../platform/database/unusable.ts';

/** How long to wait for a database that was started at the same time. */
const WAIT_MS = 30_000;

await runCommand(async () => {
  const { create } = parseArgs({ options: { create: { type: 'boolean', default: false } } }).values;
  const settings = requireSettings(loadSettings(), 'DATABASE_URL');
  const rules = {
    localTime: settings.DELIVERY_LOCAL_TIME,
    leapDayPolicy: settings.LEAP_DAY_POLICY,
    tzVersion: loadTzDatabase(settings.ZONE_DATA).version,
  };
  const logger = createLogger('migrate', settings.LOG_LEVEL);
  let isNew = false;
  try {
    const migrations = await runMigrations(settings.DATABASE_URL, {
      create,
      waitMs: WAIT_MS,
      onWaiting: (where) => logger.info({ where }, 'waiting for the database'),
      async afterwards(em) {
        isNew = await recordRules(em, rules);
        await recordLimits(em, settings);
      },
    });
    if (isNew) logger.info(rules, 'these settings decide dates from now on');
    logger.info({ migrations }, migrations.length > 0 ? 'migrated' : 'nothing to migrate');
    return 0;
  } catch (error) {
    if (error instanceof InvalidSettingsError) throw error;
    if (error instanceof DatabaseUnusableError) logger.fatal(error.message);
    else logger.fatal({ error: describeError(error) }, 'the migration failed');
    return EXIT.failed;
  }
});
