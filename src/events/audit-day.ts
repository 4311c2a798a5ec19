import {
  DAY_MS,
  dateToMs,
  formatCalendarDate,
  parseCalendarDate,
} from '../domain/calendar-date.ts';
import { createResolve, type Resolve } from '../domain/due.ts';
import { BIRTHDAY } from '../domain/event-type.ts';
import type { DateSettings } from '../domain/rules.ts';
import type { ZoneLaw } from '../domain/zone.ts';
import type { AuditTerms } from './audit-class.ts';
import { type AuditReport, createTally } from './audit-report.ts';
import { type AuditedDay, auditUser } from './audit-user.ts';
import type { AuditedUser, AuditReader, AuditSearch, AuditView, BornOn } from './audit.ts';

export interface AuditDeps {
  readonly reader: AuditReader;
  readonly law: ZoneLaw;
  /** Those in force. */
  readonly dateSettings: DateSettings;
  readonly limits: Omit<AuditTerms, 'now'>;
  /** Epoch ms. */
  readonly clock: () => number;
  /** Once it is aborted, no further page is read, and the audit rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** The rule that a text breaks as a day to audit, or null. Before 1600 nobody was born. */
export function auditDateFault(text: string): string | null {
  if (parseCalendarDate(text) === null) return 'must be a date of the calendar, as YYYY-MM-DD';
  return text < '1600' || text >= '9900' ? 'must be from the year 1600 to 9899' : null;
}

/** A page is judged in a few ms, so that whoever shares the process hardly waits. */
const PAGE = 1_000;

/**
 * Who was due on a day (`YYYY-MM-DD`, on each user's own calendar), from the history of dates
 * and zones and never from the ledger, and what became of each, from the ledger. Reads one
 * snapshot in pages: a million users take seconds. Throws a RangeError for what is no day.
 */
export async function auditDay(deps: AuditDeps, date: string): Promise<AuditReport> {
  deps.signal?.throwIfAborted();
  const { law, dateSettings, limits } = deps;
  const day = parseCalendarDate(date);
  if (day === null) throw new RangeError('The date is not a day of the calendar, as YYYY-MM-DD.');
  const dayMs = dateToMs(day);
  const now = deps.clock();
  const resolve = createResolve({ ...dateSettings, law });
  const tally = createTally();

  await deps.reader.read(async (view) => {
    // Wide enough for any zone, and for a day that was skipped.
    const window = { from: dayMs - 2 * DAY_MS, until: dayMs + 3 * DAY_MS };
    const { born, years } = await whoMayBeDue(view, dayMs, resolve);
    const search: AuditSearch = { date, window, born, years };
    const others = (await view.findSettings(window))
      .filter((settings) => !isSame(settings, dateSettings))
      .map((settings) => createResolve({ ...settings, law }));
    const terms = { ...limits, now };
    const audited: AuditedDay = {
      eventType: BIRTHDAY,
      date,
      years,
      terms,
      resolve,
      resolveByOthers: others,
    };
    for (const { state, count } of await view.countErased(date)) tally.erased(state, count);
    for (const find of [view.findBorn, view.findOthers]) {
      for await (const user of everyPage((after) => find(search, after, PAGE), deps.signal)) {
        auditUser(user, audited, tally);
      }
    }
  });
  const settings = { ...dateSettings, tzVersion: law.version };
  return tally.report({ date, auditedAt: now, settings });
}

/**
 * Days of birth that may be kept on a day: its own; 29 February around it; and the day before
 * in zones that skipped that one, or whose clocks jumped over midnight.
 */
async function whoMayBeDue(view: AuditView, dayMs: number, resolve: Resolve) {
  const date = formatCalendarDate(dayMs);
  const yesterday = formatCalendarDate(dayMs - DAY_MS);
  const born: BornOn[] = [{ monthDay: monthDayOf(date), timezones: null }];
  // In common years, by one leap-day rule or the other.
  if (date.endsWith('-02-28') || date.endsWith('-03-01')) {
    born.push({ monthDay: 229, timezones: null });
  }
  const timezones = (await view.findZones(monthDayOf(yesterday))).filter((timezone) => {
    // Its year of birth does not matter here.
    const facts = { dateOfBirth: `1600${yesterday.slice(4)}`, timezone };
    return resolve(facts, yearOf(yesterday)).occurrence.localDate === date;
  });
  if (timezones.length > 0) born.push({ monthDay: monthDayOf(yesterday), timezones });
  const years = new Set([yearOf(date), ...(timezones.length > 0 ? [yearOf(yesterday)] : [])]);
  return { born, years: [...years] };
}

async function* everyPage(
  findPage: (after: string | null) => Promise<AuditedUser[]>,
  signal: AbortSignal | undefined,
): AsyncGenerator<AuditedUser> {
  let after: string | null = null;
  let page: AuditedUser[];
  do {
    signal?.throwIfAborted();
    page = await findPage(after);
    yield* page;
    after = page.at(-1)?.userId ?? null;
  } while (page.length > 0);
}

function monthDayOf(date: string): number {
  return Number(date.slice(5, 7)) * 100 + Number(date.slice(8));
}

function yearOf(date: string): number {
  return Number(date.slice(0, 4));
}

function isSame(one: DateSettings, other: DateSettings): boolean {
  return one.leapDayPolicy === other.leapDayPolicy && one.localTime === other.localTime;
}
