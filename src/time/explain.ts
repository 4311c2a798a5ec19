import { DateTime, Duration } from 'luxon';

import { DAY_MS } from './calendar-date.ts';
import { type DueDate, dueDay, type LocalTimeInputs, resolveOnWallClock } from './occurrence.ts';
import { dayWords, ordinal, recurrenceWords } from './recurrence-words.ts';
import { keptDate, policyOf, type Series } from './recurrence.ts';
import type { TzDatabase } from './tz-database.ts';
import type { WallClockResolution } from './wall-clock.ts';

export interface ExplainedOccurrence extends DueDate {
  /** `HH:MM`, as clocks show it at the due instant. */
  readonly localTime: string;
  /** Such as `+13:45`; with seconds in the 19th century. */
  readonly utcOffset: string;
  /** Sentences for a customer: the due instant, and each rule behind it. */
  readonly explanation: string;
}

/** The parts of an occasion that explain its occurrences. */
export interface ExplainedOccasion extends Series, LocalTimeInputs {
  /** `birthday`, or any type that was chosen for the user. */
  readonly type: string;
}

/** When an occurrence is due, and why. Throws a RangeError like `resolveNominalDate`. */
export function explainOccurrence(
  nominalDate: string,
  occasion: ExplainedOccasion,
  tz: TzDatabase,
): ExplainedOccurrence {
  const resolution = resolveOnWallClock(nominalDate, occasion, tz);
  const { instantMs, wallMs } = resolution;
  const sentences = [
    explainInstant(nominalDate, occasion, resolution),
    `It comes ${recurrenceWords(occasion)}.`,
    explainMissingDay(nominalDate, occasion),
    explainOffset(nominalDate, occasion),
    explainMove(nominalDate, occasion, resolution),
    explainSeason(occasion.timezone, resolution, tz),
  ];
  return {
    localDate: words(wallMs, 'yyyy-MM-dd'),
    localTime: words(wallMs, 'HH:mm'),
    dueAt: instantMs,
    utcOffset: formatOffset(wallMs - instantMs),
    explanation: sentences.filter((sentence) => sentence !== '').join(' '),
  };
}

const DAY = 'cccc d MMMM yyyy';

function explainInstant(
  nominalDate: string,
  { type, timezone }: ExplainedOccasion,
  { instantMs, wallMs }: WallClockResolution,
): string {
  const occurrence = `The ${type} of ${dayWords(nominalDate)}`;
  const local = `${words(wallMs, 'HH:mm')} on ${words(wallMs, DAY)} in ${timezone}`;
  if (timezone === 'UTC') return `${occurrence} is due at ${local}.`;
  const isSameDay = words(wallMs, DAY) === words(instantMs, DAY);
  const utc = words(instantMs, isSameDay ? 'HH:mm' : `HH:mm 'on' ${DAY}`);
  return `${occurrence} is due at ${local}, which is ${utc} in UTC.`;
}

/** Which day replaces 29 February, or the 31st. */
function explainMissingDay(nominalDate: string, occasion: ExplainedOccasion): string {
  const policy = policyOf(occasion, occasion.leapDayPolicy);
  const kept = keptDate(nominalDate, policy);
  if (kept === nominalDate) {
    if (!nominalDate.endsWith('-02-29')) return '';
    return `${nominalDate.slice(0, 4)} is a leap year and has 29 February.`;
  }
  const lastDay = keptDate(nominalDate, 'feb28');
  const month = words(Date.parse(lastDay), 'MMMM yyyy');
  const day = ordinal(Number(nominalDate.slice(8)));
  const isOfRule = occasion.recurrence === 'rrule';
  const because = isOfRule ? `, by SKIP=${policy === 'mar1' ? 'FORWARD' : 'BACKWARD'}` : '';
  return `${month} has ${Number(lastDay.slice(8))} days, so the ${day} is kept on ${dayAndMonth(kept)}${because}.`;
}

function explainOffset(nominalDate: string, occasion: ExplainedOccasion): string {
  const { offsetDays } = occasion;
  if (offsetDays === 0) return '';
  const kept = keptDate(nominalDate, policyOf(occasion, occasion.leapDayPolicy));
  return `It is due ${offsetDays} ${offsetDays === 1 ? 'day' : 'days'} before ${dayWords(kept)}.`;
}

function explainMove(
  nominalDate: string,
  occasion: ExplainedOccasion,
  { kind, wallMs, jumpMs }: WallClockResolution,
): string {
  const { timezone, localTime } = occasion;
  switch (kind) {
    case 'unique':
      return '';
    case 'repeated':
      return `Clocks go back by ${duration(jumpMs)} that day and show ${localTime} twice; the first time counts.`;
    case 'missing_time':
      return `Clocks go forward by ${duration(jumpMs)} that day and never show ${localTime}, so it moves to ${words(wallMs, 'HH:mm')}.`;
    case 'missing_day': {
      const missing = dayWords(dueDay(nominalDate, occasion));
      return `${missing} did not exist in ${timezone}, so it moves to the next day that did.`;
    }
  }
}

function dayAndMonth(date: string): string {
  return words(Date.parse(date), 'd MMMM');
}

const SEASON_STEP_DAYS = 10;
/** Ramadan is a twelfth of the year; the shortest winter time in use now is a third. */
const BRIEF = 0.15;

/**
 * Recognizes daylight saving time from offsets alone: it is a difference that began within the year
 * before and ends within the year after. Intl knows it only by the names of some zones, and the tz
 * database contradicts itself on Ireland and Morocco.
 */
function explainSeason(
  timezone: string,
  { instantMs, wallMs }: WallClockResolution,
  tz: TzDatabase,
): string {
  if (timezone === 'UTC') return '';
  const here = wallMs - instantMs;
  const offsetsOfYear = (direction: 1 | -1) =>
    Array.from({ length: Math.floor(366 / SEASON_STEP_DAYS) }, (_, index) =>
      tz.offsetAt(timezone, instantMs + direction * (index + 1) * SEASON_STEP_DAYS * DAY_MS),
    );
  const [before, after] = [offsetsOfYear(-1), offsetsOfYear(1)];
  const other = before.find((offset) => offset !== here && after.includes(offset));
  const all = [...before, ...after];
  const shareOfHere = all.filter((offset) => offset === here).length / all.length;

  const utc = `UTC${formatOffset(here)}`;
  // Some zones have another offset for a few weeks only, such as Morocco during Ramadan.
  if (other === undefined || (other < here && shareOfHere > 1 - BRIEF)) {
    return `Clocks there are at ${utc}, without daylight saving time.`;
  }
  const otherUtc = `UTC${formatOffset(other)}`;
  if (other > here && shareOfHere < BRIEF) {
    return `Clocks there are set back for a few weeks, to ${utc} instead of ${otherUtc}.`;
  }
  const isInForce = other < here ? 'is in force' : 'is not in force';
  return `Daylight saving time ${isInForce}: clocks there are at ${utc}, at other times of the year at ${otherUtc}.`;
}

/** Always in English, whatever the machine's language. */
function words(ms: number, format: string): string {
  return DateTime.fromMillis(ms, { zone: 'utc', locale: 'en-GB' }).toFormat(format);
}

/** `+13:45`, `-04:56:02`. */
function formatOffset(offsetMs: number): string {
  const size = words(Math.abs(offsetMs), offsetMs % 60_000 === 0 ? 'HH:mm' : 'HH:mm:ss');
  return `${offsetMs < 0 ? '-' : '+'}${size}`;
}

/** `1 hour`, `30 minutes`, `1 hour and 30 minutes`. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return Duration.fromObject({ seconds }, { locale: 'en-GB' })
    .rescale()
    .toHuman({ listStyle: 'long' });
}
