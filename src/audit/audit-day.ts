import { DAY_MS, parseCalendarDate } from '../time/calendar-date.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { readSnapshot } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { auditOccasion } from './audit-occasion.ts';
import type { AuditTerms } from './classify.ts';
import { createFindDues } from './history.ts';
import { createAuditView } from './read-audit.ts';
import { type AuditReport, createTally } from './report.ts';

export interface AuditDeps {
  readonly orm: Orm;
  readonly tz: TzDatabase;
  readonly limits: Pick<AuditTerms, 'lateAfterMs' | 'lateLimitMs' | 'giveUpAfterMs'>;
  /** Epoch ms. */
  readonly clock: () => number;
  /** When aborted, nothing further is read, and the audit rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** The rule that a text breaks as a day to audit, or null. */
export function auditDateFault(text: string): string | null {
  if (parseCalendarDate(text) === null) return 'must be a date of the calendar, as YYYY-MM-DD';
  return text < '1600' || text >= '9900' ? 'must be from the year 1600 to 9899' : null;
}

/**
 * An occurrence of the day may fall due at a later change of zone, time or policy, and may have
 * fallen due on another day before: zones are 26 hours apart, and each of the others moves it by a
 * day at the most.
 */
const DAYS_BEFORE = 4;
const DAYS_AFTER = 6;

/**
 * What fell due on a day (`YYYY-MM-DD`, the day of sending on each user's own calendar), from the
 * history of schedule inputs and never from the ledger; and what became of each, from the ledger.
 * Reads one snapshot in pages: a million users take seconds.
 *
 * @throws RangeError when the date is no day
 * @throws NoRulesError before `migrate` has recorded any
 */
export async function auditDay(deps: AuditDeps, date: string): Promise<AuditReport> {
  const { orm, tz, limits, signal } = deps;
  signal?.throwIfAborted();
  if (parseCalendarDate(date) === null) {
    throw new RangeError('The date is not a day of the calendar, as YYYY-MM-DD.');
  }
  const dayMs = Date.parse(date);
  const now = deps.clock();
  const tally = createTally();

  return readSnapshot(orm, async (em) => {
    const view = createAuditView(em);
    const rules = await view.findRules();
    const findDues = createFindDues(tz, {
      after: dayMs - DAYS_BEFORE * DAY_MS,
      until: dayMs + DAYS_AFTER * DAY_MS,
    });
    for (const { outcome, count } of await view.countErased(date)) {
      tally.count(`erased.${outcome}`, count);
    }
    const terms = { date, ...limits, now, tz, rules, findDues };
    for await (const occasion of view.occasions(date)) {
      signal?.throwIfAborted();
      auditOccasion(occasion, terms, tally);
    }
    const { localTime, leapDayPolicy } = rules.findLast(({ from }) => from < dayMs) ?? rules[0];
    const settings = { localTime, leapDayPolicy, tzVersion: tz.version };
    return tally.report({ date, auditedAt: new Date(now).toISOString(), settings });
  });
}
