/**
 * Which days a recurrence rule names, from DTSTART on. The calendar repeats itself every 400 years,
 * and so do the days of a rule: it names a day within one round of its periods, or never.
 *
 * Here, a day is a number, days since 1970, and a nominal date is a number too: 20270231.
 */
import type { NumberedWeekday, RecurrenceRule } from './rrule.ts';

/** A day as the rule names it, and the day of the calendar on which it is kept. */
interface NamedDay {
  readonly nominal: number;
  readonly kept: number;
}

/** A day of the calendar. */
interface Day {
  readonly number: number;
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** Periods in 400 years, which are a whole number of weeks. */
const ROUND = { DAILY: 146_097, WEEKLY: 20_871, MONTHLY: 4_800, YEARLY: 400 };

/** Years have four digits. */
const LAST_YEAR = 9999;

/**
 * The first nominal date on or after `from`, both as `YYYY-MM-DD`; null if there is none up to the
 * year 9999. `date` is DTSTART, and `from`, which need not exist, is not before it. If several
 * nominal dates are kept on one day, only the lowest counts.
 */
export function ruleDateFrom(given: RecurrenceRule, date: string, from: string): string | null {
  const rule = widened(given);
  const start = dayOf(numberOf(partsOf(nominalOf(date))));
  const [firstNominal, fromNominal] = [nominalOf(date), nominalOf(from)];
  const until = rule.until === null ? Infinity : numberOf(partsOf(nominalOf(rule.until)));
  // A COUNT is counted from the start. Otherwise it begins a period earlier, whose last day may be
  // kept on the first day of the next.
  const near = periodBefore(rule, start, fromNominal);
  const perPeriod = daysPerPeriod(rule);
  let period = rule.count === Infinity ? near : 0;
  let left = rule.count;
  let lastKept = -Infinity;
  // After this many periods, they coincide with the same ones of a round again.
  const round = ROUND[rule.frequency] / commonDivisor(ROUND[rule.frequency], rule.interval);
  for (let misses = 0; misses <= round; misses += 1, period += 1) {
    const days = daysOf(rule, start, period);
    if (days === null) return null;
    for (const { nominal, kept } of days) {
      if (nominal < firstNominal || kept === lastKept) continue;
      if (kept > until || left === 0) return null;
      if (nominal >= fromNominal) return format(nominal);
      lastKept = kept;
      left -= 1;
      misses = 0;
    }
    // The first period may begin before the start, and then has fewer days.
    if (period === 0 && perPeriod !== null && near > 1) {
      left -= (near - 1) * perPeriod;
      period = near - 1;
      if (left <= 0) return null;
    }
  }
  return null;
}

/** How many days each period has, if all have the same number; null if that is unknown. */
function daysPerPeriod({ frequency, byMonth, byMonthDay, byDay, bySetPos }: RecurrenceRule) {
  if (byMonth.length + byMonthDay.length + bySetPos.length > 0) return null;
  if (frequency === 'WEEKLY') return new Set(byDay.map(({ weekday }) => weekday)).size || 1;
  return frequency === 'DAILY' && byDay.length === 0 ? 1 : null;
}

/** The same rule with periods of weeks or months, if it selects from all days. */
function widened(rule: RecurrenceRule): RecurrenceRule {
  const { frequency, interval, byMonth, byMonthDay, byDay, bySetPos } = rule;
  const chooses = byMonth.length + byMonthDay.length + byDay.length > 0;
  if (frequency !== 'DAILY' || interval > 1 || bySetPos.length > 0 || !chooses) return rule;
  if (byDay.length > 0 && byMonthDay.length === 0) return { ...rule, frequency: 'WEEKLY' };
  const monthDays = byMonthDay.length > 0 ? byMonthDay : ALL_MONTH_DAYS;
  return { ...rule, frequency: 'MONTHLY', byMonthDay: monthDays, skip: null };
}

function commonDivisor(one: number, other: number): number {
  return other === 0 ? one : commonDivisor(other, one % other);
}

/** Whether it names any day, regardless of its COUNT and UNTIL. */
export function namesAnyDay(rule: RecurrenceRule, date: string): boolean {
  // With an interval, it names a subset of the days that it names without, which are found sooner.
  if (rule.interval > 1 && !namesAnyDay({ ...rule, interval: 1 }, date)) return false;
  return ruleDateFrom({ ...rule, count: Infinity, until: null }, date, date) !== null;
}

/** A period that begins before `from`, one earlier if possible; 0 is that of DTSTART. */
function periodBefore({ frequency, interval }: RecurrenceRule, start: Day, from: number): number {
  const { year, month, day } = partsOf(from);
  const number = () => numberOf({ year, month, day: Math.min(day, 28) });
  const units = {
    DAILY: () => number() - start.number,
    WEEKLY: () => (number() - start.number) / 7,
    MONTHLY: () => (year - start.year) * 12 + month - start.month,
    YEARLY: () => year - start.year,
  };
  return Math.max(0, Math.floor(units[frequency]() / interval) - 1);
}

/** The days of a period in order, no two kept on one day; null beyond the last year. */
function daysOf(rule: RecurrenceRule, start: Day, period: number): readonly NamedDay[] | null {
  const days = namedIn(rule, start, period * rule.interval);
  const { bySetPos } = rule;
  if (days === null || (days.length < 2 && bySetPos.length === 0)) return days;
  // Checked before sorting: a rule may ask for the 100th day of each month.
  if (bySetPos.length > 0 && bySetPos.every((n) => Math.abs(n) > days.length)) return [];
  days.sort((one, other) => one.kept - other.kept || one.nominal - other.nominal);
  const distinct = days.filter(({ kept }, index) => kept !== days[index - 1]?.kept);
  if (bySetPos.length === 0) return distinct;
  return distinct.filter(
    (_, index) => bySetPos.includes(index + 1) || bySetPos.includes(index - distinct.length),
  );
}

/** The days named in the day, week, month or year that is this many after DTSTART's. */
function namedIn(rule: RecurrenceRule, start: Day, later: number): NamedDay[] | null {
  const { frequency, byMonth, byMonthDay, byDay, weekStart } = rule;
  switch (frequency) {
    case 'DAILY': {
      const day = dayOf(start.number + later);
      if (day.year > LAST_YEAR) return null;
      const isNamed =
        isIn(byMonth, day.month) &&
        isMonthDay(byMonthDay, day) &&
        isWeekday(byDay, day.number, 'month');
      return isNamed ? [asNamed(day)] : [];
    }
    case 'WEEKLY': {
      const ownWeekday = weekdayOf(start.number);
      const first = start.number - daysAfter(ownWeekday, weekStart) + 7 * later;
      const weekdays = byDay.length === 0 ? [ownWeekday] : byDay.map(({ weekday }) => weekday);
      const days = weekdays.map((weekday) => dayOf(first + daysAfter(weekday, weekStart)));
      const inReach = days.filter(({ year }) => year <= LAST_YEAR);
      if (inReach.length === 0) return null;
      return inReach.filter(({ month }) => isIn(byMonth, month)).map(asNamed);
    }
    case 'MONTHLY': {
      const months = start.year * 12 + start.month - 1 + later;
      const [year, month] = [Math.floor(months / 12), (months % 12) + 1];
      if (year > LAST_YEAR) return null;
      return isIn(byMonth, month) ? namedInMonth(rule, start, year, month) : [];
    }
    case 'YEARLY': {
      const year = start.year + later;
      if (year > LAST_YEAR) return null;
      return monthsOf(rule, start).flatMap((month) => namedInMonth(rule, start, year, month));
    }
  }
}

/** The months of a yearly rule: its own, or all for which it has days, or DTSTART's. */
function monthsOf({ byMonth, byMonthDay, byDay }: RecurrenceRule, start: Day): readonly number[] {
  if (byMonth.length > 0) return byMonth;
  return byMonthDay.length + byDay.length > 0 ? ALL_MONTHS : [start.month];
}

const ALL_MONTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/** As in RFC 7529: first the days of the month, then SKIP, then the weekdays of the result. */
function namedInMonth(rule: RecurrenceRule, start: Day, year: number, month: number): NamedDay[] {
  const first = firstOf(year, month);
  const length = firstOf(year, month + 1) - first;
  const within = rule.frequency === 'YEARLY' && rule.byMonth.length === 0 ? 'year' : 'month';
  // A weekday that a month does not have, such as a fifth one, is not a day that could be moved.
  const skip = rule.byMonthDay.length === 0 && rule.byDay.length > 0 ? null : rule.skip;
  const named: NamedDay[] = [];
  for (const monthDay of monthDaysOf(rule, start)) {
    const day = monthDay > 0 ? monthDay : length + 1 + monthDay;
    if (day < 1 || (day > length && skip === null)) continue;
    const kept = first + Math.min(day, skip === 'FORWARD' ? length + 1 : length) - 1;
    if (!isWeekday(rule.byDay, kept, within)) continue;
    named.push({ nominal: (year * 100 + month) * 100 + day, kept });
  }
  return named;
}

function monthDaysOf({ byMonthDay, byDay }: RecurrenceRule, start: Day): readonly number[] {
  if (byMonthDay.length > 0) return byMonthDay;
  return byDay.length > 0 ? ALL_MONTH_DAYS : [start.day];
}

const ALL_MONTH_DAYS = Array.from({ length: 31 }, (_, index) => index + 1);

function isIn(months: readonly number[], month: number): boolean {
  return months.length === 0 || months.includes(month);
}

function isMonthDay(monthDays: readonly number[], { year, month, day }: Day): boolean {
  if (monthDays.length === 0) return true;
  const length = firstOf(year, month + 1) - firstOf(year, month);
  return monthDays.includes(day) || monthDays.includes(day - length - 1);
}

function isWeekday(
  byDay: readonly NumberedWeekday[],
  number: number,
  within: 'month' | 'year',
): boolean {
  const own = weekdayOf(number);
  return (
    byDay.length === 0 ||
    byDay.some((one) => one.weekday === own && (one.number === 0 || isNth(one, number, within)))
  );
}

/** Whether a day with the right weekday is the numbered one. */
function isNth(one: NumberedWeekday, number: number, within: 'month' | 'year'): boolean {
  const { year, month } = dayOf(number);
  const first = within === 'year' ? firstOf(year, 1) : firstOf(year, month);
  const next = within === 'year' ? firstOf(year + 1, 1) : firstOf(year, month + 1);
  const daysAway = one.number > 0 ? number - first : next - 1 - number;
  return Math.floor(daysAway / 7) + 1 === Math.abs(one.number);
}

function firstOf(year: number, month: number): number {
  return numberOf({ year, month, day: 1 });
}

/** Monday is 0; 1 January 1970 was a Thursday. */
function weekdayOf(number: number): number {
  return (((number + 3) % 7) + 7) % 7;
}

/** Days from the start of a week to a weekday. */
function daysAfter(weekday: number, weekStart: number): number {
  return (weekday - weekStart + 7) % 7;
}

/**
 * The number of a day of the calendar; month 13 is the next January. Computed on years that begin
 * in March, as in `dayOf`: thousands of days are needed, and `Date` takes ten times as long. From
 * https://howardhinnant.github.io/date_algorithms.html, days_from_civil and civil_from_days.
 */
function numberOf({ year, month, day }: Omit<Day, 'number'>): number {
  const marchYear = month > 2 ? year : year - 1;
  const marchMonth = month > 2 ? month - 3 : month + 9;
  const leapDays =
    Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  const dayOfYear = Math.floor((153 * marchMonth + 2) / 5) + day - 1;
  return marchYear * 365 + leapDays + dayOfYear - DAYS_BEFORE_1970;
}

/** Since 1 March of the year 0. */
const DAYS_BEFORE_1970 = 719_468;

function dayOf(number: number): Day {
  const since = number + DAYS_BEFORE_1970;
  const era = Math.floor(since / 146_097);
  const dayOfEra = since - era * 146_097;
  const leapDays =
    Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return { number, year: era * 400 + yearOfEra + (month > 2 ? 0 : 1), month, day };
}

function asNamed({ number, year, month, day }: Day): NamedDay {
  return { nominal: (year * 100 + month) * 100 + day, kept: number };
}

function nominalOf(date: string): number {
  return Number(date.replaceAll('-', ''));
}

function partsOf(nominal: number) {
  return {
    year: Math.floor(nominal / 10_000),
    month: Math.floor(nominal / 100) % 100,
    day: nominal % 100,
  };
}

/** `YYYY-MM-DD`. */
function format(nominal: number): string {
  return String(nominal)
    .padStart(8, '0')
    .replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3');
}
