import { DateTime } from 'luxon';

import {
  anniversaryIn,
  dateToMs,
  isLeapDay,
  isLeapYear,
  parseCalendarDate,
} from './calendar-date.ts';
import { type OccurrenceFacts, resolveOccurrence } from './occurrence.ts';
import type { DateRules } from './rules.ts';
import { seasonAt } from './season.ts';
import type { WallClockResolution } from './wall-clock.ts';
import type { ZoneLaw } from './zone.ts';

export interface ExplainedOccurrence {
  readonly year: number;
  /** `YYYY-MM-DD` and `HH:MM`, as clocks show them at the instant. */
  readonly localDate: string;
  readonly localTime: string;
  /** Epoch ms. */
  readonly fireAt: number;
  /** Such as `+13:45`; with seconds in the 19th century. */
  readonly utcOffset: string;
  /** Sentences that can be read to a customer: the instant, and each rule that made it. */
  readonly explanation: string;
}

/** One occurrence, with the rules that made it in words. Throws as `occurrenceInYear` does. */
export function explainOccurrence(
  facts: OccurrenceFacts,
  year: number,
  rules: DateRules,
): ExplainedOccurrence {
  const resolution = resolveOccurrence(facts, year, rules);
  const { instantMs, wallMs } = resolution;
  return {
    year,
    localDate: words(wallMs, 'yyyy-MM-dd'),
    localTime: words(wallMs, 'HH:mm'),
    fireAt: instantMs,
    utcOffset: formatOffset(wallMs - instantMs),
    explanation: [
      explainInstant(facts, year, resolution),
      explainLeapDay(facts, year, rules),
      explainMove(facts, year, rules, resolution),
      explainSeason(facts.timezone, resolution, rules.law),
    ]
      .filter((sentence) => sentence !== '')
      .join(' '),
  };
}

const DAY = 'cccc d MMMM yyyy';

function explainInstant(
  { timezone }: OccurrenceFacts,
  year: number,
  { instantMs, wallMs }: WallClockResolution,
): string {
  const local = `${words(wallMs, 'HH:mm')} on ${words(wallMs, DAY)} in ${timezone}`;
  if (timezone === 'UTC') return `The birthday of ${year} is greeted at ${local}.`;
  const isSameDay = words(wallMs, DAY) === words(instantMs, DAY);
  const utc = isSameDay ? words(instantMs, 'HH:mm') : words(instantMs, `HH:mm 'on' ${DAY}`);
  return `The birthday of ${year} is greeted at ${local}, which is ${utc} in UTC.`;
}

function explainLeapDay(facts: OccurrenceFacts, year: number, rules: DateRules): string {
  const born = parseCalendarDate(facts.dateOfBirth);
  if (born === null || !isLeapDay(born)) return '';
  if (isLeapYear(year)) {
    return `${year} is a leap year, so a birthday on 29 February is kept on that day.`;
  }
  const kept = words(dateToMs(anniversaryIn(year, born, rules.leapDayPolicy)), 'd MMMM');
  return `${year} has no 29 February, so a birthday on that day is kept on ${kept}.`;
}

function explainMove(
  facts: OccurrenceFacts,
  year: number,
  rules: DateRules,
  { kind, wallMs, jumpMs }: WallClockResolution,
): string {
  const asked = rules.localTime;
  const found = words(wallMs, 'HH:mm');
  switch (kind) {
    case 'unique':
      return '';
    case 'repeated':
      return `Clocks go back by ${duration(jumpMs)} that day and show ${asked} twice; the first time counts.`;
    case 'missing_time':
      return `Clocks go forward by ${duration(jumpMs)} that day and never show ${asked}, so the greeting moves to ${found}.`;
    case 'missing_day': {
      const born = parseCalendarDate(facts.dateOfBirth);
      const missing =
        born && words(dateToMs(anniversaryIn(year, born, rules.leapDayPolicy)), 'd MMMM yyyy');
      return `${missing} did not exist in ${facts.timezone}, so the greeting moves to the next day that did.`;
    }
  }
}

function explainSeason(
  timezone: string,
  { instantMs, wallMs }: WallClockResolution,
  law: ZoneLaw,
): string {
  const season = seasonAt(instantMs, (at) => law.offsetAt(timezone, at));
  const utc = `UTC${formatOffset(wallMs - instantMs)}`;
  switch (season.kind) {
    case 'constant':
      return timezone === 'UTC' ? '' : `Clocks there are at ${utc}, without daylight saving time.`;
    case 'daylight_saving':
      return `Daylight saving time is in force: clocks there are at ${utc}, at other times of the year at UTC${formatOffset(season.otherOffsetMs)}.`;
    case 'standard':
      return `Daylight saving time is not in force: clocks there are at ${utc}, at other times of the year at UTC${formatOffset(season.otherOffsetMs)}.`;
    case 'set_back':
      return `Clocks there are set back for a few weeks, to ${utc} instead of UTC${formatOffset(season.otherOffsetMs)}.`;
  }
}

/** English, whatever the machine speaks. */
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
  const parts = [
    [Math.floor(seconds / 3600), 'hour'],
    [Math.floor(seconds / 60) % 60, 'minute'],
    [seconds % 60, 'second'],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}${count === 1 ? '' : 's'}`)
    .join(' and ');
}
