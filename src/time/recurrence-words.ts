/** Recurrences in words for a customer. */
import { DateTime, Info } from 'luxon';

import { dateToMs } from './calendar-date.ts';
import type { Series } from './recurrence.ts';
import { type NumberedWeekday, parseRule, type RecurrenceRule } from './rrule.ts';

const ENGLISH = { locale: 'en-GB' };
const MONTHS = Info.months('long', ENGLISH);
/** From Monday on. */
const WEEKDAYS = Info.weekdays('long', ENGLISH);

/** "every month on the 31st, from 31 January 2027 on". Throws a RangeError for an invalid rule. */
export function recurrenceWords({ date, recurrence, rrule }: Series): string {
  const { month, day, weekday } = partsOf(date);
  const onDay = `on ${day} ${MONTHS[month - 1]}`;
  switch (recurrence) {
    case 'once':
      return 'once';
    case 'daily':
      return `every day, ${from(date)}`;
    case 'weekly':
      return `every week on ${WEEKDAYS[weekday]}, ${from(date)}`;
    case 'monthly':
      return `every month on the ${ordinal(day)}, ${from(date)}`;
    case 'yearly':
      return `every year ${onDay}, ${from(date)}`;
    case 'birthday':
      return `every year ${onDay}, for the first time a year after the date`;
    case 'rrule':
      return `${ruleWords(parseRule(rrule ?? ''), date)}, ${from(date)}`;
  }
}

/** "31 February 2027": a nominal date need not exist. */
export function dayWords(nominalDate: string): string {
  const { year, month, day } = partsOf(nominalDate);
  return `${day} ${MONTHS[month - 1]} ${year}`;
}

/** "31st". */
export function ordinal(number: number): string {
  const suffixes: Partial<Record<Intl.LDMLPluralRule, string>> = {
    one: 'st',
    two: 'nd',
    few: 'rd',
  };
  return `${number}${suffixes[ORDINALS.select(number)] ?? 'th'}`;
}

const ORDINALS = new Intl.PluralRules('en-GB', { type: 'ordinal' });

function ruleWords(rule: RecurrenceRule, date: string): string {
  const { byMonth, bySetPos, count, until } = rule;
  const clauses = [
    everyWords(rule),
    byMonth.length > 0 ? `in ${list(byMonth.map((month) => MONTHS[month - 1] ?? ''))}` : '',
    daysWords(rule, date),
  ].filter((clause) => clause !== '');
  const limits = [
    bySetPos.length > 0 ? `of these the ${list(bySetPos.map((place) => placeWords(place)))}` : '',
    count === Infinity ? '' : `${count} ${count === 1 ? 'time' : 'times'} in all`,
    until === null ? '' : `until ${dayWords(until)}`,
  ].filter((clause) => clause !== '');
  return [clauses.join(' '), ...limits].join(', ');
}

function everyWords({ frequency, interval, weekStart }: RecurrenceRule): string {
  const unit = { DAILY: 'day', WEEKLY: 'week', MONTHLY: 'month', YEARLY: 'year' }[frequency];
  if (interval === 1) return `every ${unit}`;
  const every = `every ${interval} ${unit}s`;
  return frequency === 'WEEKLY' ? `${every} (from ${WEEKDAYS[weekStart]} on)` : every;
}

/** The days within a period, those of DTSTART if the rule has none. */
function daysWords(
  { frequency, byMonth, byMonthDay, byDay }: RecurrenceRule,
  date: string,
): string {
  const { month, day, weekday } = partsOf(date);
  if (byMonthDay.length > 0) {
    const days = list(
      byMonthDay.map((day) => (day > 0 ? `the ${ordinal(day)}` : fromEnd(day, 'day'))),
    );
    return byDay.length === 0
      ? `on ${days}`
      : `on ${days} if it is ${list(byDay.map(aWeekday), 'or')}`;
  }
  if (byDay.length > 0) return `on ${list(byDay.map(weekdayWords))}`;
  if (frequency === 'WEEKLY') return `on ${WEEKDAYS[weekday]}`;
  if (frequency === 'MONTHLY' || byMonth.length > 0) {
    return frequency === 'DAILY' ? '' : `on the ${ordinal(day)}`;
  }
  return frequency === 'YEARLY' ? `on ${day} ${MONTHS[month - 1]}` : '';
}

function weekdayWords({ weekday, number }: NumberedWeekday): string {
  const name = WEEKDAYS[weekday] ?? '';
  if (number === 0) return name;
  return number > 0 ? `the ${ordinal(number)} ${name}` : fromEnd(number, name);
}

function aWeekday(one: NumberedWeekday): string {
  return one.number === 0 ? `a ${weekdayWords(one)}` : weekdayWords(one);
}

function fromEnd(number: number, name: string): string {
  return number === -1 ? `the last ${name}` : `the ${ordinal(-number)} ${name} from the end`;
}

function placeWords(place: number): string {
  if (place > 0) return ordinal(place);
  return place === -1 ? 'last' : `${ordinal(-place)} from the end`;
}

function from(date: string): string {
  return `from ${dayWords(date)} on`;
}

function list(words: readonly string[], last: 'and' | 'or' = 'and'): string {
  const type = last === 'or' ? 'disjunction' : 'conjunction';
  return new Intl.ListFormat('en-GB', { type }).format(words);
}

function partsOf(date: string) {
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number);
  const weekday = DateTime.fromMillis(dateToMs({ year, month, day }), { zone: 'utc' }).weekday - 1;
  return { year, month, day, weekday };
}
