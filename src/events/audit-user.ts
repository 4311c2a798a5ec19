import { type Due, duesInYear, type Resolve } from '../domain/due.ts';
import type { EventType } from '../domain/event-type.ts';
import { occurrenceKey } from '../domain/occurrence-key.ts';
import { type AuditTerms, classify } from './audit-class.ts';
import type { Tally } from './audit-report.ts';
import { isDeliveredTwice, suspicionOf } from './audit-suspicion.ts';
import type { AuditedUser, AuditRow } from './audit.ts';

/** What one user's history and rows are held against. */
export interface AuditedDay {
  readonly eventType: EventType;
  readonly date: string;
  readonly years: readonly number[];
  readonly terms: AuditTerms;
  /** By the settings in force. */
  readonly resolve: Resolve;
  /** By each of the others that rows of these days were planned under. */
  readonly resolveByOthers: readonly Resolve[];
}

/** Adds to the tally what became of one user on the day, and what is wrong with the user's rows. */
export function auditUser(user: AuditedUser, day: AuditedDay, tally: Tally): void {
  for (const year of day.years) {
    const due = duesInYear(user.history, year, day.resolve).findLast(
      ({ localDate }) => localDate === day.date,
    );
    if (due !== undefined) auditDue(due, user, day, tally);
  }
  for (const row of user.rows) {
    if (!row.isOfDay && !day.years.includes(row.year)) continue;
    // A second row is a double, and its key has to be another: that says enough of it.
    if (isSecond(row, user, day.eventType) || isDeliveredTwice(row)) tally.double(row.key);
    else if (row.isOfDay) {
      const reason = suspicionOf(row, user, day.eventType);
      if (reason !== null) tally.forged({ key: row.key, reason });
    }
  }
}

function auditDue(due: Due, user: AuditedUser, day: AuditedDay, tally: Tally): void {
  const { year } = due;
  const { history, rows } = user;
  const key = occurrenceKey(day.eventType, user.userId, year);
  const isDueByAllSettings = day.resolveByOthers.every(
    (resolve) => duesInYear(history, year, resolve).length > 0,
  );
  const open = rows.findLast((row) => row.year < year && isOpen(row)) ?? null;
  const row = rows.find((candidate) => candidate.key === key) ?? null;
  tally.count(key, classify({ due, history, row, open, isDueByAllSettings }, day.terms));
}

function isOpen({ state, redeliveries }: AuditRow): boolean {
  return redeliveries === 0 && (state === 'PENDING' || state === 'PROCESSING');
}

/** Whether there is the right row of the same year besides. */
function isSecond(row: AuditRow, { userId, rows }: AuditedUser, eventType: EventType): boolean {
  const key = occurrenceKey(eventType, userId, row.year);
  return row.key !== key && rows.some((other) => other.key === key);
}
