import { DAY_MS, formatCalendarDate, parseCalendarDate } from './calendar-date.ts';
import {
  keptDate,
  type LeapDayPolicy,
  nominalDateAfter,
  nominalDateFrom,
  policyOf,
  type Series,
} from './recurrence.ts';
import { parseRule, RuleError } from './rrule.ts';
import type { TzDatabase } from './tz-database.ts';
import { resolveWallClock, type WallClockResolution } from './wall-clock.ts';

/** The settings that decide dates. */
export interface DateSettings {
  readonly leapDayPolicy: LeapDayPolicy;
  /** Wall-clock time of delivery, `HH:MM`. */
  readonly localTime: string;
}

/** The inputs that decide when a nominal date is due. */
export interface LocalTimeInputs extends DateSettings {
  /** A name of the tz database. */
  readonly timezone: string;
  /** It is due this many days before the day on which the nominal date is kept. */
  readonly offsetDays: number;
}

/**
 * The same, with the rule of the series, which may say which day replaces one that does not exist.
 */
export type DueInputs = LocalTimeInputs & Pick<Series, 'rrule'>;

/** When a nominal date is due. */
export interface DueDate {
  /** The day that clocks show at the due instant, `YYYY-MM-DD`. */
  readonly localDate: string;
  /** Epoch ms. */
  readonly dueAt: number;
}

/**
 * Why inputs have no occurrences, in words for an operator and without the date; null if they may
 * have.
 */
export function whyUnplannable(
  { date, timezone, rrule }: Pick<Series, 'date' | 'rrule'> & Pick<LocalTimeInputs, 'timezone'>,
  tz: TzDatabase,
): string | null {
  if (parseCalendarDate(date) === null) {
    return 'The date is not a day of the calendar, written YYYY-MM-DD.';
  }
  if (!tz.isKnown(timezone)) {
    const name = JSON.stringify(timezone.slice(0, 64));
    return `The time zone ${name} is not in the tz database of this installation.`;
  }
  return rrule === undefined || rrule === null ? null : whyNoRule(rrule);
}

function whyNoRule(rrule: string): string | null {
  try {
    parseRule(rrule);
    return null;
  } catch (error) {
    if (error instanceof RuleError) return error.message;
    throw error;
  }
}

/**
 * More than anything that can lie between a nominal date, less the offset, and its instant, or
 * between its instants under two inputs: offsets from -16 to +16 h, any two local times, a missing
 * day, a skipped one.
 */
export const REACH_MS = 5 * DAY_MS;

/**
 * The occurrences of a series that are due after an instant, by nominal date and therefore by
 * instant. If two fall on one local day, because the calendar there skipped one, only the first
 * counts. `fromNominal` cheaply skips earlier dates. Throws a RangeError like `resolveNominalDate`.
 */
export function* dueDatesAfter(
  inputs: Series & LocalTimeInputs,
  after: number,
  tz: TzDatabase,
  fromNominal = '',
): Generator<DueDate & { readonly nominalDate: string }, undefined> {
  const earliest = formatCalendarDate(after + inputs.offsetDays * DAY_MS - REACH_MS);
  let nominalDate = nominalDateFrom(inputs, earliest > fromNominal ? earliest : fromNominal);
  let previousDate = '';
  while (nominalDate !== null) {
    const { localDate, dueAt } = resolveNominalDate(nominalDate, inputs, tz);
    if (localDate !== previousDate && dueAt > after) yield { nominalDate, localDate, dueAt };
    previousDate = localDate;
    nominalDate = nominalDateAfter(inputs, nominalDate);
  }
}

/** When a nominal date is due. Throws a RangeError for an unknown zone and an invalid local time. */
export function resolveNominalDate(
  nominalDate: string,
  inputs: DueInputs,
  tz: TzDatabase,
): DueDate {
  const { instantMs, wallMs, kind } = resolveOnWallClock(nominalDate, inputs, tz);
  // Only a missing time or day can move it.
  const isMoved = kind === 'missing_time' || kind === 'missing_day';
  const localDate = isMoved ? formatCalendarDate(wallMs) : dueDay(nominalDate, inputs);
  return { localDate, dueAt: instantMs };
}

/** The same, with how the local time was found. */
export function resolveOnWallClock(
  nominalDate: string,
  inputs: DueInputs,
  tz: TzDatabase,
): WallClockResolution {
  const { timezone, localTime } = inputs;
  const day = dueDay(nominalDate, inputs);
  return resolveWallClock(Date.parse(day) + localTimeMs(localTime), (instantMs) =>
    tz.offsetAt(timezone, instantMs),
  );
}

/** The day of the calendar, `YYYY-MM-DD`, on which a nominal date is due, regardless of clocks. */
export function dueDay(nominalDate: string, inputs: Omit<DueInputs, 'timezone'>): string {
  const { leapDayPolicy, offsetDays } = inputs;
  const kept = keptDate(nominalDate, policyOf(inputs, leapDayPolicy));
  return offsetDays === 0 ? kept : formatCalendarDate(Date.parse(kept) - offsetDays * DAY_MS);
}

function localTimeMs(localTime: string): number {
  const parts = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(localTime);
  if (parts === null) throw new RangeError('The local time is not a wall-clock time HH:MM.');
  return Number(parts[1]) * 3_600_000 + Number(parts[2]) * 60_000;
}
