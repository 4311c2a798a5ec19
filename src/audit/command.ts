/**
 * The command `npm run audit -- --date YYYY-MM-DD`: what fell due on a day and what became of
 * each, as a table. Reads DATABASE_URL, or when that is not set asks the Daybell that runs at
 * HOST and PORT, with API_KEY if it has keys. Exit code 0 when nothing is wrong, 1 when something
 * is, 2 for bad input.
 */
import { parseArgs } from 'node:util';

import { askRunningApi, endUnanswered, EXIT } from '../cli/command.ts';
import { loadSettings, requireSettings, type Settings } from '../platform/settings/settings.ts';
import { connectOrm } from '../platform/database/orm.ts';
import { loadTzDatabase } from '../platform/load-tz-database.ts';
import { auditDateFault, auditDay } from './audit-day.ts';
import { type AuditBody, auditBody, AuditSchema } from './body.ts';
import { auditTable } from './table.ts';

const USAGE = 'Usage: npm run audit -- --date YYYY-MM-DD';

process.exitCode = await main();

async function main(): Promise<number> {
  const date = readDate();
  if (date === null) return EXIT.badInput;
  try {
    const settings = loadSettings();
    const audit =
      settings.DATABASE_URL === undefined
        ? AuditSchema.parse(await askRunningApi(settings, `/v1/audit/${date}`))
        : await auditDatabase(settings, date);
    process.stdout.write(auditTable(audit));
    return audit.clean ? 0 : EXIT.failed;
  } catch (error) {
    return endUnanswered('audit', error);
  }
}

/** The day that was asked for; null, after saying why, when it is none. */
function readDate(): string | null {
  try {
    const { values } = parseArgs({ options: { date: { type: 'string' } } });
    if (values.date === undefined) return refuse('--date is required.');
    const rule = auditDateFault(values.date);
    return rule === null ? values.date : refuse(`--date ${rule}.`);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(why: string): null {
  process.stderr.write(`${why}\n${USAGE}\n`);
  return null;
}

async function auditDatabase(given: Settings, date: string): Promise<AuditBody> {
  const settings = requireSettings(given, 'DATABASE_URL');
  const orm = await connectOrm(settings.DATABASE_URL, { poolSize: 1 });
  try {
    const report = await auditDay(
      {
        orm,
        tz: loadTzDatabase(settings.ZONE_DATA),
        limits: {
          lateAfterMs: settings.LATE_AFTER,
          lateLimitMs: settings.LATE_LIMIT,
          giveUpAfterMs: settings.GIVE_UP_AFTER,
        },
        clock: Date.now,
      },
      date,
    );
    return auditBody(report);
  } finally {
    await orm.close(true);
  }
}
