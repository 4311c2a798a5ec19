import { DAY_MS, parseCalendarDate } from '../time/calendar-date.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import type { RulesHistory } from '../planning/rules.ts';
import { lateLimitOf, rulesOfType } from '../planning/type-settings.ts';
import { queryOf, readSnapshot } from '../ledger/sql.ts';
import type { OwnedOccasion } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';
import { type AuditedDay, type AuditFinding, auditOccasion } from './audit-occasion.ts';
import { DAYS_AFTER, DAYS_BEFORE } from './candidates.ts';
import type { AuditTerms } from './classify.ts';
import { createFindDues } from './history.ts';
import { type AuditPlace, createAuditView, findStoredAudit } from './read-audit.ts';
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

/** Returns the rule that a text breaks as a day to audit, or null. */
export function auditDateFault(text: string): string | null {
  if (parseCalendarDate(text) === null) return 'must be a date of the calendar, as YYYY-MM-DD';
  return text < '1600' || text >= '9900' ? 'must be from the year 1600 to 9899' : null;
}

/**
 * What fell due on a day (`YYYY-MM-DD`, the day of sending on each user's own calendar), from the
 * history of schedule inputs and never from the ledger; and what became of each, from the ledger.
 * Reads one snapshot in pages: a million users take seconds. For a day whose rows are no longer
 * kept, returns the stored audit.
 *
 * @throws RangeError when the date is not a day
 * @throws NoRulesError before `migrate` has recorded any
 */
export async function auditDay(deps: AuditDeps, date: string): Promise<AuditReport> {
  const { orm, tz, signal } = deps;
  signal?.throwIfAborted();
  if (parseCalendarDate(date) === null) {
    throw new RangeError('The date is not a day of the calendar, as YYYY-MM-DD.');
  }
  const stored = await findStoredAudit(queryOf(orm), date);
  if (stored !== null) return stored;

  const now = deps.clock();
  const tally = createTally();
  return readSnapshot(orm, async (em) => {
    const view = createAuditView(em);
    for (const count of await view.countErased(date)) tally.addErased(count);
    const rules = await view.findRules();
    for await (const { occasion, findings } of walk(view, { deps, date, now, rules })) {
      for (const finding of findings) tally.add(occasion.type, finding);
    }
    const dayMs = Date.parse(date);
    const { localTime, leapDayPolicy } = rules.findLast(({ from }) => from < dayMs) ?? rules[0];
    const settings = { localTime, leapDayPolicy, tzVersion: tz.version };
    return tally.report({ date, auditedAt: new Date(now).toISOString(), settings });
  });
}

export interface AuditedDayTerms {
  readonly deps: AuditDeps;
  readonly date: string;
  readonly now: number;
  readonly rules: RulesHistory;
  /** Where to resume. */
  readonly from?: AuditPlace | undefined;
}

/** Audits one occasion after the other, in the order of `AuditPlace`. */
export async function* walk(
  view: ReturnType<typeof createAuditView>,
  { deps, date, now, rules, from }: AuditedDayTerms,
): AsyncGenerator<{
  readonly occasion: OwnedOccasion;
  readonly place: AuditPlace;
  readonly findings: Iterable<AuditFinding>;
}> {
  const { tz, limits, signal } = deps;
  const dayMs = Date.parse(date);
  const findDues = createFindDues(tz, {
    after: dayMs - DAYS_BEFORE * DAY_MS,
    until: dayMs + DAYS_AFTER * DAY_MS,
  });
  const types = await view.findTypes();
  const pausedDestinations = await view.findPausedDestinations();
  const day = { date, ...limits, now, tz, findDues, pausedDestinations };
  /** A type's own settings take precedence over the installation's. */
  const termsByType = new Map<string, AuditedDay>();
  const termsOf = (type: string): AuditedDay => {
    const settings = types.of(type);
    const terms = termsByType.get(type) ?? {
      ...day,
      lateLimitMs: lateLimitOf(settings, limits),
      rules: rulesOfType(rules, settings),
    };
    termsByType.set(type, terms);
    return terms;
  };
  for await (const { occasion, place } of view.occasions(date, from)) {
    signal?.throwIfAborted();
    yield { occasion, place, findings: auditOccasion(occasion, termsOf(occasion.type)) };
  }
}
