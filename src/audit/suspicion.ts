import { DAY_MS } from '../time/calendar-date.ts';
import type { LeapDayPolicy } from '../time/recurrence.ts';
import { occurrenceKey } from '../ledger/occurrence-key.ts';
import { nameUnder } from '../planning/fell-due.ts';
import type { RulesHistory } from '../planning/rules.ts';
import { keptDate, namesDate, type Recurrence } from '../time/recurrence.ts';
import { GRACE_MS, isPlannedBy } from './classify.ts';
import type { AuditedHistory, AuditedPeriod } from './history.ts';
import type { AuditedOccasion, AuditRow } from './read-audit.ts';

/**
 * Why neither the planner nor a sender can have written a row. docs/reliability.md has them in
 * words.
 */
export type Suspicion =
  | 'unknown_occasion'
  | 'wrong_key'
  | 'unknown_inputs'
  | 'not_named'
  | 'wrong_day'
  | 'not_due';

/**
 * What is wrong with a row of the audited day, from the history of its occasion and of the rules;
 * null for a row that they account for. Its own rules decide, since those in force may be others
 * by now.
 */
export function suspicionOf(
  row: AuditRow,
  occasion: AuditedOccasion,
  history: AuditedHistory | null,
  rules: RulesHistory,
): Suspicion | null {
  if (history === null) return 'unknown_occasion';
  if (row.key !== occurrenceKey(occasion, row.nominalDate) || row.userId !== occasion.userId) {
    return 'wrong_key';
  }
  const planned = history.periods.filter((period) => isPlannedBy(row, period));
  if (planned.length === 0 || !rules.some((rule) => isRuledBy(row, rule))) return 'unknown_inputs';
  if (!planned.some((period) => isNamed(row.nominalDate, period))) return 'not_named';
  if (row.localDate === null || row.dueAt === null) return null;
  if (!isOnItsDay(row, row.localDate, row.dueAt)) return 'wrong_day';
  return isSent(row) && !wasDue(row, row.dueAt, history) ? 'not_due' : null;
}

function isRuledBy(row: AuditRow, rule: RulesHistory[number]): boolean {
  return row.localTime === rule.localTime && row.leapDayPolicy === rule.leapDayPolicy;
}

/** False also for a text that is no date, which a hand may have written. */
function isNamed(nominalDate: string, { date, recurrence }: AuditedPeriod): boolean {
  const series = { date, recurrence: recurrence as Recurrence };
  return /^\d{4}-\d{2}-\d{2}$/.test(nominalDate) && namesDate(series, nominalDate);
}

/** Its day is the one that is kept, or the day after for one that the zone skipped; so is its instant's. */
function isOnItsDay(row: AuditRow, localDate: string, dueAt: number): boolean {
  const dayMs = Date.parse(localDate);
  const movedMs = dayMs - Date.parse(keptDayOf(row.nominalDate, row.leapDayPolicy));
  if (movedMs !== 0 && movedMs !== DAY_MS) return false;
  // Not to the hour: that is the tz database's, which changes.
  const aheadMs = dayMs - dueAt;
  return aheadMs > -2 * DAY_MS && aheadMs < DAY_MS;
}

/** Whether its inputs were in force at its instant, or came by a later change that put it behind. */
function wasDue(row: AuditRow, dueAt: number, history: AuditedHistory): boolean {
  const { periods, versions, endedAt } = history;
  // Inputs that held for no time by a clock that was set back may have been planned by.
  if (periods.some((period) => period.from === period.until && isPlannedBy(row, period)))
    return true;
  return versions.some((version, index) => {
    if (!isPlannedBy(row, version)) return false;
    const until = versions[index + 1]?.from ?? endedAt ?? Infinity;
    // A change can come after the sender has looked.
    if (dueAt > version.from) return dueAt < until + GRACE_MS;
    const leapDayPolicy = row.leapDayPolicy as LeapDayPolicy;
    const occurrence = {
      key: row.key,
      nominalDate: row.nominalDate,
      localDate: row.localDate ?? row.nominalDate,
      dueAt,
      version: { ...version, leapDayPolicy },
    };
    return versions.slice(0, index).some((before) => nameUnder(before, occurrence) !== null);
  });
}

function keptDayOf(nominalDate: string, leapDayPolicy: string): string {
  return keptDate(nominalDate, leapDayPolicy as LeapDayPolicy);
}

/** Whether it was sent at this due instant, and not because an operator asked for it. */
function isSent({ attempts, earlierAttempts, redeliveries }: AuditRow): boolean {
  return redeliveries === 0 && attempts > earlierAttempts;
}

/** Whether more attempts were delivered than redeliveries by force account for. */
export function isDeliveredTwice({ deliveries, isForced, redeliveries }: AuditRow): boolean {
  return deliveries > 1 + (isForced ? redeliveries : 0);
}
