import { DAY_MS, dateToMs, formatCalendarDate, parseCalendarDate } from '../time/calendar-date.ts';
import { resolveNominalDate } from '../time/occurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import type { OccasionRef } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { RulesHistory } from '../planning/rules.ts';
import { type AuditedDay, auditOccasion } from './audit-occasion.ts';
import type { AuditTerms } from './classify.ts';
import { createFindDues } from './history.ts';
import { type AuditedOccasion, type AuditSearch, type AuditView, readAudit } from './read-audit.ts';
import { type AuditReport, createTally } from './report.ts';

export interface AuditDeps {
  readonly orm: Orm;
  readonly tz: TzDatabase;
  readonly limits: Omit<AuditTerms, 'now'>;
  /** Epoch ms. */
  readonly clock: () => number;
  /** When aborted, no further page is read, and the audit rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** The rule that a text breaks as a day to audit, or null. */
export function auditDateFault(text: string): string | null {
  if (parseCalendarDate(text) === null) return 'must be a date of the calendar, as YYYY-MM-DD';
  return text < '1600' || text >= '9900' ? 'must be from the year 1600 to 9899' : null;
}

/** A page is judged in a few ms, so that the process's other work hardly waits. */
const PAGE = 1_000;

/**
 * What fell due on a day (`YYYY-MM-DD`, the day of sending on each user's own calendar), from the
 * history of schedule inputs and never from the ledger; and what became of each, from the ledger.
 * Reads one snapshot in pages: a million users take seconds.
 *
 * @throws RangeError when the date is no day
 * @throws NoRulesError before `migrate` has recorded any
 */
export async function auditDay(deps: AuditDeps, date: string): Promise<AuditReport> {
  deps.signal?.throwIfAborted();
  const { orm, tz, limits, signal } = deps;
  const day = parseCalendarDate(date);
  if (day === null) throw new RangeError('The date is not a day of the calendar, as YYYY-MM-DD.');
  const dayMs = dateToMs(day);
  const now = deps.clock();
  const tally = createTally();

  return readAudit(orm, async (view) => {
    const rules = await view.findRules();
    const search = await searchFor(dayMs, view, tz, rules);
    const audited: AuditedDay = {
      date,
      findDues: createFindDues(tz, {
        after: dayMs - DAYS_BEFORE * DAY_MS,
        until: dayMs + DAYS_AFTER * DAY_MS,
      }),
      terms: { ...limits, now },
      tz,
      rules,
    };
    for (const { state, count } of await view.countErased(date)) tally.addErased(state, count);
    for (const find of [view.findCandidates, view.findOthers]) {
      for await (const occasion of everyPage((after) => find(search, after, PAGE), signal)) {
        auditOccasion(occasion, audited, tally);
      }
    }
    const { localTime, leapDayPolicy } = rules.findLast(({ from }) => from < dayMs) ?? rules[0];
    const settings = { localTime, leapDayPolicy, tzVersion: tz.version };
    return tally.report({ date, auditedAt: new Date(now).toISOString(), settings });
  });
}

/**
 * An occurrence of the day may fall due at a later change of zone, time or policy, and may have
 * fallen due on another day before: zones are 26 hours apart, and each of the others moves it by a
 * day at the most.
 */
const DAYS_BEFORE = 4;
const DAYS_AFTER = 6;

/**
 * Dates that may be kept on a day: its own; 29 February, on the days around that; and the day
 * before, if a zone skipped that day or its clocks jumped over midnight.
 */
async function searchFor(
  dayMs: number,
  view: AuditView,
  tz: TzDatabase,
  rules: RulesHistory,
): Promise<AuditSearch> {
  const date = formatCalendarDate(dayMs);
  const yesterday = formatCalendarDate(dayMs - DAY_MS);
  const monthDays = [monthDayOf(date)];
  if (date.endsWith('-02-28') || date.endsWith('-03-01')) monthDays.push(229);
  const isOfYesterday = (await view.findZones(monthDayOf(yesterday))).some(
    (timezone) =>
      tz.isKnown(timezone) &&
      rules.some(
        (rule) => resolveNominalDate(yesterday, { ...rule, timezone }, tz).localDate === date,
      ),
  );
  if (isOfYesterday) monthDays.push(monthDayOf(yesterday));
  return {
    date,
    window: { from: dayMs - 2 * DAY_MS, until: dayMs + 3 * DAY_MS },
    monthDays,
    years: { first: yearOf(isOfYesterday ? yesterday : date), last: yearOf(date) },
  };
}

async function* everyPage(
  findPage: (after: OccasionRef | null) => Promise<AuditedOccasion[]>,
  signal: AbortSignal | undefined,
): AsyncGenerator<AuditedOccasion> {
  let after: OccasionRef | null = null;
  let page: AuditedOccasion[];
  do {
    signal?.throwIfAborted();
    page = await findPage(after);
    yield* page;
    after = page.at(-1) ?? null;
  } while (page.length > 0);
}

function monthDayOf(date: string): number {
  return Number(date.slice(5, 7)) * 100 + Number(date.slice(8));
}

function yearOf(date: string): number {
  return Number(date.slice(0, 4));
}
