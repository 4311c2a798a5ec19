/**
 * `npm run audit -- --date YYYY-MM-DD`: what fell due on a day and what became of each; with
 * `--list`, who is behind a number. Reads DATABASE_URL, or asks the Daybell at HOST and PORT if that
 * is not set. Exit code 1 when something is wrong.
 */
import { parseArgs } from 'node:util';

import { answerCommand, answerFrom, refuseInput } from '../cli/answer.ts';
import { EXIT } from '../cli/command.ts';
import { LIST_PAGE, pagesOfApi, printList } from '../cli/occurrence-list.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { DateSettingsInForce } from '../planning/date-settings.ts';
import { isoInstant } from '../time/instant.ts';
import { createFindPeople } from '../ledger/people.ts';
import { type AuditDeps, auditDateFault, auditDay } from './audit-day.ts';
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

/** Of a list. Above the call: a const below it would not be there yet. */
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
  let values: { date?: string; list?: string; type?: string; csv: boolean };
  try {
    ({ values } = parseArgs({
      options: {
        date: { type: 'string' },
        list: { type: 'string' },
        type: { type: 'string' },
        csv: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    return refuseInput(error instanceof Error ? error.message : String(error), USAGE);
  }
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
  return answerFrom('audit', async (source) => {
    const pages =
      source.kind === 'api'
        ? pagesOfApi(source.ask, `/v1/audit/${date}/occurrences?${query.toString()}`)
        : pagesOfDatabase({ orm: source.orm, ...source.inForce, clock: Date.now }, date, filter);
    await printList(pages, COLUMNS, isCsv);
    return 0;
  });
}

async function* pagesOfDatabase(deps: AuditDeps, date: string, filter: AuditListFilter) {
  const findPeople = createFindPeople(deps.orm);
  let place: AuditListPlace | null = { after: null, listed: 0 };
  while (place !== null) {
    const page = await listAudited(deps, date, filter, place, LIST_PAGE);
    const items = page.items.map((item) => ({ ...item, dueAt: isoInstant(item.dueAt) }));
    yield await findPeople(items);
    place = page.next;
  }
}
