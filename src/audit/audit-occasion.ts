import { DAY_MS } from '../time/calendar-date.ts';
import { occurrenceKey } from '../ledger/occurrence-key.ts';
import { type FellDue, isSameOccurrence } from '../planning/fell-due.ts';
import type { RulesHistory } from '../planning/rules.ts';
import { type AuditClass, type AuditTerms, classify, GRACE_MS } from './classify.ts';
import { type AuditedHistory, type FindDues, mergeHistory } from './history.ts';
import type { AuditedOccasion, AuditRow } from './read-audit.ts';

/** What the history and the rows of an occasion are compared with. */
export interface AuditedDay extends AuditTerms {
  /** `YYYY-MM-DD`. */
  readonly date: string;
  /** For the days around it. */
  readonly findDues: FindDues;
  readonly rules: RulesHistory;
}

/** The outcome of an occurrence that fell due on the day, or what is wrong with a row. */
export interface AuditFinding
  extends
    Pick<FellDue, 'key' | 'nominalDate'>,
    Pick<AuditRow, 'localDate' | 'dueAt' | 'timezone' | 'attempts'> {
  readonly name: AuditClass | 'doubles' | 'unexpected';
}

/** Finds what became of one occasion on the day, and what is wrong with its rows. */
export function* auditOccasion(
  occasion: AuditedOccasion,
  day: AuditedDay,
): Generator<AuditFinding, void, undefined> {
  const { rows } = occasion;
  const history = mergeHistory(occasion, day.rules);
  const dues = day.findDues(occasion, history);
  const dueKeys = new Set<string>();
  for (const due of dues) {
    if (due.localDate !== day.date) continue;
    // It may have fallen due twice, even under the name of another day that is kept on the same.
    const same = dues.filter((other) => isSameOccurrence(other, due));
    if (same.some(({ key }) => dueKeys.has(key))) continue;
    dueKeys.add(due.key);
    const row =
      rows.find(({ key }) => key === due.key) ??
      rows.find((one) => same.some(({ key }) => key === one.key)) ??
      null;
    const front = rows.find((one) => isInFront(one, due)) ?? null;
    const name = classify({ due, dues: same, history, row, front }, day);
    const { key, nominalDate, localDate, dueAt } = due;
    const { timezone } = due.version;
    yield { name, key, nominalDate, localDate, dueAt, timezone, attempts: row?.attempts ?? 0 };
  }

  for (const row of rows) {
    const rightKey = occurrenceKey(occasion, row.nominalDate, row.recurrence);
    if (!row.isOfDay && !dueKeys.has(rightKey)) continue;
    const isSecond = row.key !== rightKey && rows.some(({ key }) => key === rightKey);
    const { key, nominalDate, localDate, dueAt, timezone, attempts } = row;
    const about = { key, nominalDate, localDate, dueAt, timezone, attempts };
    if (isSecond || isDeliveredTwice(row)) yield { name: 'doubles', ...about };
    else if (row.isOfDay && isUnexpected(row, dues, history))
      yield { name: 'unexpected', ...about };
  }
}

/** An occasion has one open row; later ones are planned when it is settled. */
function isInFront(row: AuditRow, due: FellDue): boolean {
  const isOpen = row.redeliveries === 0 && (row.state === 'PENDING' || row.state === 'PROCESSING');
  return isOpen && row.key !== due.key && row.nominalDate < due.nominalDate;
}

/** Whether more attempts were delivered than redeliveries by force account for. */
function isDeliveredTwice({ deliveries, isForced, redeliveries }: AuditRow): boolean {
  return deliveries > 1 + (isForced ? redeliveries : 0);
}

/**
 * Whether it was sent although nothing fell due. A race with a change at that moment is no fault,
 * and the tz database may move an instant by hours.
 */
function isUnexpected(
  { key, dueAt, attempts, earlierAttempts, redeliveries }: AuditRow,
  dues: readonly FellDue[],
  { versions, endedAt }: AuditedHistory,
): boolean {
  const isSent = redeliveries === 0 && attempts > earlierAttempts;
  if (!isSent || dueAt === null) return false;
  if (dues.some((due) => due.key === key && Math.abs(due.dueAt - dueAt) < DAY_MS)) return false;
  const changes = [...versions.map(({ from }) => from), endedAt ?? Infinity];
  return !changes.some((at) => Math.abs(at - dueAt) < GRACE_MS);
}
