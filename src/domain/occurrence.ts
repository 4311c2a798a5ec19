import { keptDate, missingDayPolicy } from '../time/recurrence.ts';
import {
  type CalendarDate,
  dateToMs,
  DAY_MS,
  formatCalendarDate,
  parseCalendarDate,
} from './calendar-date.ts';
import type { DateRules, LeapDayPolicy } from './rules.ts';
import { resolveWallClock, type WallClockResolution } from './wall-clock.ts';
import type { ZoneLaw } from './zone.ts';

/** What decides when a user's yearly event is due. */
export interface OccurrenceFacts {
  /** The date that recurs, `YYYY-MM-DD`: of a birthday, the date of birth. */
  readonly dateOfBirth: string;
  /** A name of the tz database. */
  readonly timezone: string;
}

export interface Occurrence {
  /** The year of the birthday on the user's own calendar: part of the key. */
  readonly year: number;
  /** The day on the user's calendar at the instant; another year's when 31 December was skipped. */
  readonly localDate: string;
  /** Epoch ms. */
  readonly fireAt: number;
}

/** Why facts cannot be planned, in words for an operator and without the date; null when they can. */
export function whyUnplannable(facts: OccurrenceFacts, law: ZoneLaw): string | null {
  if (parseCalendarDate(facts.dateOfBirth) === null) {
    return 'The date of birth is not a day of the calendar, written YYYY-MM-DD.';
  }
  if (!law.isKnown(facts.timezone)) {
    const name = JSON.stringify(facts.timezone.slice(0, 64));
    return `The time zone ${name} is not in the tz database of this installation.`;
  }
  return null;
}

/**
 * The occurrence of one nominal year, whether or not it has passed, by section 3 of the
 * design. Throws a RangeError for facts that `whyUnplannable` finds fault with.
 */
export function occurrenceInYear(
  facts: OccurrenceFacts,
  year: number,
  rules: DateRules,
): Occurrence {
  const { instantMs, wallMs } = resolveOccurrence(facts, year, rules);
  return { year, localDate: formatCalendarDate(wallMs), fireAt: instantMs };
}

/**
 * The first occurrence strictly after an instant (epoch ms), in a year later than that of
 * birth and not final. Throws a RangeError as `occurrenceInYear` does, and when there is
 * none before the year 10000.
 */
export function firstOccurrenceAfter(
  facts: OccurrenceFacts,
  afterMs: number,
  rules: DateRules,
  isFinal: (year: number) => boolean = () => false,
): Occurrence {
  const born = dateOfBirthOf(facts, rules.law);
  // The nominal year is at most one behind the UTC year of its instant: 31 December may
  // fall on 1 January in UTC.
  let year = Math.max(born.year + 1, new Date(afterMs).getUTCFullYear() - 1);
  for (; year <= LAST_YEAR; year += 1) {
    if (isFinal(year) || isSurelyPast(year, born, afterMs)) continue;
    const occurrence = occurrenceInYear(facts, year, rules);
    if (occurrence.fireAt > afterMs) return occurrence;
  }
  throw new RangeError(`There is no occurrence after ${afterMs} ms that is not final.`);
}

/** How the local time of an occurrence was found; what `occurrenceInYear` and the explanation share. */
export function resolveOccurrence(
  facts: OccurrenceFacts,
  year: number,
  rules: DateRules,
): WallClockResolution {
  const { law } = rules;
  if (whyUnplannable(facts, law) !== null) throw new RangeError(whyUnplannable(facts, law) ?? '');
  const nominalDate = `${String(year).padStart(4, '0')}${facts.dateOfBirth.slice(4)}`;
  const day = keptDate(nominalDate, missingDayPolicy(rules.leapDayPolicy));
  return resolveLocalTime(day, { timezone: facts.timezone, localTime: rules.localTime }, law);
}

/** What says when on a nominal date an occurrence is due. */
export interface LocalTimeInputs {
  /** A name of the tz database. */
  readonly timezone: string;
  /** Wall-clock time, `HH:MM`. */
  readonly localTime: string;
  readonly leapDayPolicy: LeapDayPolicy;
}

/** A nominal date as it falls due: the day that clocks show then, `YYYY-MM-DD`, and the instant, epoch ms. */
export interface DueDay {
  readonly localDate: string;
  readonly dueAt: number;
}

/**
 * When a nominal date (`YYYY-MM-DD`, of a day that need not exist) is due. Throws a RangeError for
 * a zone that is not known and a local time that is none.
 */
export function resolveNominalDate(
  nominalDate: string,
  inputs: LocalTimeInputs,
  law: ZoneLaw,
): DueDay {
  const day = keptDate(nominalDate, missingDayPolicy(inputs.leapDayPolicy));
  const { instantMs, wallMs, kind } = resolveLocalTime(day, inputs, law);
  // Only a missing time or day can move it.
  const isMoved = kind === 'missing_time' || kind === 'missing_day';
  return { localDate: isMoved ? formatCalendarDate(wallMs) : day, dueAt: instantMs };
}

/** A local time on a day of the calendar, `YYYY-MM-DD`. */
function resolveLocalTime(
  day: string,
  { timezone, localTime }: Pick<LocalTimeInputs, 'timezone' | 'localTime'>,
  law: ZoneLaw,
): WallClockResolution {
  return resolveWallClock(Date.parse(day) + localTimeMs(localTime), (instantMs) =>
    law.offsetAt(timezone, instantMs),
  );
}

/** Four digits in ISO 8601 and in the ledger. */
const LAST_YEAR = 9999;

/**
 * Spares the look-up of the zone for the year before. Four days cover a leap day moved to
 * 1 March, a skipped day and the farthest offset.
 */
function isSurelyPast(year: number, born: CalendarDate, afterMs: number): boolean {
  return dateToMs({ ...born, year }) + 4 * DAY_MS < afterMs;
}

function dateOfBirthOf(facts: OccurrenceFacts, law: ZoneLaw): CalendarDate {
  const born = parseCalendarDate(facts.dateOfBirth);
  if (born === null) throw new RangeError(whyUnplannable(facts, law) ?? '');
  return born;
}

function localTimeMs(localTime: string): number {
  const parts = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(localTime);
  if (parts === null) throw new RangeError('The local time is not a wall-clock time HH:MM.');
  return Number(parts[1]) * 3_600_000 + Number(parts[2]) * 60_000;
}
