/**
 * `npm run audit -- --date YYYY-MM-DD`: what fell due on a day and what became of each; with
 * `--list`, the occurrences behind a number. Reads DATABASE_URL, or asks the Daybell at HOST and
 * PORT if that is not set. Exit code 1 when something is wrong.
 */
import { answerCommand, type DatabaseSource, readOptions, refuseInput } from '../cli/answer.ts';
import { EXIT } from '../cli/command.ts';
import { LIST_PAGE, printList } from '../cli/occurrence-list.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { DateSettingsInForce } from '../planning/date-settings.ts';
import { auditDateFault, auditDay } from './audit-day.ts';
import {
  auditClassFault,
  type AuditListFilter,
  type AuditListPlace,
  listAudited,
} from './audit-list.ts';
import { AuditSchema } from './report.ts';
import { auditTable } from './table.ts';

const USAGE = 'Usage: npm run audit -- --date YYYY-MM-DD [--list CLASS|all [--type TYPE] [--csv]]';
const ALL = 'all';

/** The columns of a list. Declared above the call, which would otherwise run before it. */
const COLUMNS = [
  'class',
  'key',
  'occasionType',
  'nominalDate',
  'localDate',
  'timezone',
  'dueAt',
  'attempts',
  'userId',
];

process.exitCode = await main();

async function main(): Promise<number> {
  const values = readOptions(
    {
      date: { type: 'string' },
      list: { type: 'string' },
      type: { type: 'string' },
      csv: { type: 'boolean', default: false },
    },
    USAGE,
  );
  if (values === null) return EXIT.badInput;
  const { date, list, type = null, csv } = values;
  if (date === undefined) return refuseInput('--date is required.', USAGE);
  const rule = auditDateFault(date);
  if (rule !== null) return refuseInput(`--date ${rule}.`, USAGE);
  if (list === undefined) {
    const unused = csv ? '--csv' : '--type';
    return csv || type !== null ? refuseInput(`${unused} needs --list.`, USAGE) : audit(date);
  }
  const className = list === ALL ? null : list;
  const fault = className === null ? null : auditClassFault(className);
  if (fault !== null) return refuseInput(`--list ${fault}, or ${ALL}.`, USAGE);
  return listOccurrences(date, { className, type }, csv);
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

function listOccurrences(date: string, filter: AuditListFilter, isCsv: boolean): Promise<number> {
  const query = new URLSearchParams({
    ...(filter.className !== null && { class: filter.className }),
    ...(filter.type !== null && { occasionType: filter.type }),
  });
  const list = {
    name: 'audit',
    path: `/v1/audit/${date}/occurrences?${query.toString()}`,
    columns: COLUMNS,
    readPage: ({ orm, inForce }: DatabaseSource, place: AuditListPlace | null) =>
      listAudited(
        { orm, ...inForce, clock: Date.now },
        date,
        filter,
        place ?? { after: null, listed: 0 },
        LIST_PAGE,
      ),
  };
  return printList(list, isCsv);
}
