/**
 * `npm run audit -- --date YYYY-MM-DD`: what fell due on a day and what became of each. Reads
 * DATABASE_URL, or asks the Daybell at HOST and PORT if that is not set. Exit code 1 when something
 * is wrong.
 */
import { parseArgs } from 'node:util';

import { EXIT } from '../cli/command.ts';
import { answerCommand, refuseInput } from '../cli/answer.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { DateSettingsInForce } from '../planning/date-settings.ts';
import { auditDateFault, auditDay } from './audit-day.ts';
import { AuditSchema } from './report.ts';
import { auditTable } from './table.ts';

const USAGE = 'Usage: npm run audit -- --date YYYY-MM-DD';

process.exitCode = await main();

async function main(): Promise<number> {
  let date: string | undefined;
  try {
    ({ date } = parseArgs({ options: { date: { type: 'string' } } }).values);
  } catch (error) {
    return refuseInput(error instanceof Error ? error.message : String(error), USAGE);
  }
  if (date === undefined) return refuseInput('--date is required.', USAGE);
  const rule = auditDateFault(date);
  return rule === null ? audit(date) : refuseInput(`--date ${rule}.`, USAGE);
}

function audit(date: string): Promise<number> {
  const question = {
    name: 'audit',
    path: `/v1/audit/${date}`,
    schema: AuditSchema,
    readDatabase: (orm: Orm, inForce: DateSettingsInForce) =>
      auditDay({ orm, ...inForce, clock: Date.now }, date),
  };
  return answerCommand(question, (report) => {
    process.stdout.write(auditTable(report));
    return report.clean ? 0 : EXIT.failed;
  });
}
