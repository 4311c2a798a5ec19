import { anniversaryIn, dateToMs, DAY_MS, parseCalendarDate } from '../domain/calendar-date.ts';
import type { HeldFacts } from '../domain/due.ts';
import type { EventType } from '../domain/event-type.ts';
import { occurrenceKey } from '../domain/occurrence-key.ts';
import type { OccurrenceFacts } from '../domain/occurrence.ts';
import type { LeapDayPolicy } from '../domain/rules.ts';
import { GRACE_MS, isOf } from './audit-class.ts';
import type { AuditRow } from './audit.ts';

/** Why a row of the ledger can't be the planner's and the sender's work. docs/reliability.md has them in words. */
export type Suspicion =
  | 'unknown_user'
  | 'wrong_key'
  | 'unknown_facts'
  | 'day_of_birth'
  | 'wrong_day'
  | 'not_due';

/**
 * What is wrong with a row of the audited day, from the user's history alone, or null. By the
 * settings that the row itself was planned under, since those in force may be others by now.
 */
export function suspicionOf(
  row: AuditRow,
  { userId, history }: { readonly userId: string; readonly history: readonly HeldFacts[] },
  eventType: EventType,
): Suspicion | null {
  if (history.length === 0) return 'unknown_user';
  if (row.key !== occurrenceKey(eventType, userId, row.year)) return 'wrong_key';
  if (!history.some((facts) => isOf(row, facts))) return 'unknown_facts';
  if (Number(row.anchorDate.slice(0, 4)) >= row.year) return 'day_of_birth';
  if (row.localDate === null || row.fireAt === null) return isSent(row) ? 'wrong_day' : null;
  if (!isOnItsDay(row, row.localDate, row.fireAt)) return 'wrong_day';
  return isSent(row) && !wasDue(row, row.fireAt, history) ? 'not_due' : null;
}

/** Its day is the birthday, or the day after for a day that was skipped; its instant is of that day. */
function isOnItsDay(row: AuditRow, localDate: string, fireAt: number): boolean {
  const day = parseCalendarDate(localDate);
  const birthday = dayOf(row, { ...row, dateOfBirth: row.anchorDate });
  if (day === null || birthday === null) return false;
  const movedMs = dateToMs(day) - birthday;
  if (movedMs !== 0 && movedMs !== DAY_MS) return false;
  // Not to the hour: that is zone law, which changes.
  const aheadMs = dateToMs(day) - fireAt;
  return aheadMs > -2 * DAY_MS && aheadMs < DAY_MS;
}

/** Whether its own facts held at its instant, or had come by a move when it was past. */
function wasDue(row: AuditRow, fireAt: number, history: readonly HeldFacts[]): boolean {
  return history.some((facts, index) => {
    if (!isOf(row, facts)) return false;
    // A change can come after the dispatcher has looked.
    const isHeld = facts.until === null || fireAt < facts.until + GRACE_MS;
    if (fireAt > facts.from) return isHeld;
    const before = history[index - 1];
    return before !== undefined && dayOf(row, before) === dayOf(row, facts);
  });
}

/** When the birthday of the row's year is, by the row's settings: UTC midnight. */
function dayOf({ year, leapDayPolicy }: AuditRow, { dateOfBirth }: OccurrenceFacts): number | null {
  const born = parseCalendarDate(dateOfBirth);
  return born && dateToMs(anniversaryIn(year, born, leapDayPolicy as LeapDayPolicy));
}

/** Whether it was sent, and not because an operator asked for it. */
function isSent({ attempts, deliveredAt, state, redeliveries }: AuditRow): boolean {
  return redeliveries === 0 && (attempts > 0 || deliveredAt !== null || state === 'COMPLETED');
}

/** Whether more attempts were delivered than redeliveries by force account for. */
export function isDeliveredTwice({ deliveries, isForced, redeliveries }: AuditRow): boolean {
  return deliveries > 1 + (isForced ? redeliveries : 0);
}
