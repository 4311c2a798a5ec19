/**
 * Recurrence rules read a second time, slowly and another way: every day that people can name, from
 * the 1st to the 31st of each month of some years, is asked whether the rule has it. It knows nothing
 * of src/time, and counts on its fingers instead of computing.
 */
export const WEEKDAYS = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA'] as const;

/** A parsed rule. Lists may be empty. */
export interface SpokenRule {
  readonly frequency: 'DAILY' | 'WEEKLY' | 'MONTHLY' | 'YEARLY';
  readonly interval: number;
  readonly byMonth: readonly number[];
  readonly byMonthDay: readonly number[];
  /** `MO`, `2TU`, `-1FR`. */
  readonly byDay: readonly string[];
  readonly bySetPos: readonly number[];
  readonly weekStart: (typeof WEEKDAYS)[number];
  readonly count: number | null;
  readonly until: string | null;
  readonly skip: 'OMIT' | 'BACKWARD' | 'FORWARD' | null;
}

export interface OracleDate {
  /** `YYYY-MM-DD`, as the rule names it. */
  readonly nominal: string;
  readonly kept: string;
}

/** All dates from `date`, DTSTART, until the end of a year. */
export function datesByOracle(rule: SpokenRule, date: string, lastYear: number): OracleDate[] {
  const start = dayOf(date);
  const periods = new Map<number, Named[]>();
  for (const day of daysOf(start.year - 1, lastYear + 1)) {
    const named = nameOf(rule, start, day);
    if (named === null) continue;
    const period = periodOf(rule, start, named);
    if (period % rule.interval === 0) periods.set(period, [...(periods.get(period) ?? []), named]);
  }
  const inOrder = [...periods].toSorted(([one], [other]) => one - other);
  const dates: OracleDate[] = [];
  const days = new Set<string>();
  for (const [, named] of inOrder) {
    for (const { day, kept } of chosen(rule, named)) {
      if (day.text < date || days.has(kept.text)) continue;
      if (rule.until !== null && kept.text > rule.until) continue;
      if (rule.count !== null && days.size === rule.count) continue;
      days.add(kept.text);
      dates.push({ nominal: day.text, kept: kept.text });
    }
  }
  return dates.filter(({ nominal }) => nominal <= `${lastYear}-12-31`);
}

interface Day {
  readonly text: string;
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly exists: boolean;
  /** Days since 1970, if it exists. */
  readonly number: number;
}

interface Named {
  readonly day: Day;
  readonly kept: Day;
}

/** The day with the one on which it is kept, if all parts but the interval and BYSETPOS have it. */
function nameOf(rule: SpokenRule, start: Day, day: Day): Named | null {
  const { frequency, byMonth, byMonthDay, byDay } = rule;
  if (byMonth.length > 0 && !byMonth.includes(day.month)) return null;
  const isOfMonths = frequency === 'MONTHLY' || frequency === 'YEARLY';
  const isOfMonthDays = byMonthDay.length > 0 || (byDay.length === 0 && isOfMonths);
  if (!day.exists && !(isOfMonths && isOfMonthDays && movesDays(rule))) return null;

  if (byMonthDay.length > 0) {
    const isNamed = byMonthDay.includes(day.day) || byMonthDay.includes(-daysLeftInMonth(day));
    if (!isNamed) return null;
  } else if (byDay.length === 0) {
    if (frequency === 'WEEKLY' && weekdayOf(day) !== weekdayOf(start)) return null;
    if (isOfMonths && day.day !== start.day) return null;
    if (frequency === 'YEARLY' && byMonth.length === 0 && day.month !== start.month) return null;
  }
  const kept = keptOn(rule, day);
  if (byDay.length > 0 && !byDay.some((one) => isCalled(one, rule, kept))) return null;
  return { day, kept };
}

function movesDays({ skip }: SpokenRule): boolean {
  return skip === 'BACKWARD' || skip === 'FORWARD';
}

/** 1 on the last day; NaN for a nonexistent day. */
function daysLeftInMonth(day: Day): number {
  if (!day.exists) return NaN;
  let left = 1;
  while (dayAt(day.number + left).month === day.month) left += 1;
  return left;
}

function keptOn({ skip }: SpokenRule, day: Day): Day {
  if (day.exists) return day;
  const last = daysOf(day.year, day.year).filter((one) => one.exists && one.month === day.month);
  const lastNumber = last.at(-1)?.number ?? NaN;
  return dayAt(skip === 'FORWARD' ? lastNumber + 1 : lastNumber);
}

/**
 * Whether `-1FR` is a name of the day, in its month or, in yearly rules without months, its year.
 */
function isCalled(name: string, { frequency, byMonth }: SpokenRule, day: Day): boolean {
  const number = Number(name.slice(0, -2));
  if (name.slice(-2) !== weekdayOf(day)) return false;
  if (number === 0) return true;
  const isOfYear = frequency === 'YEARLY' && byMonth.length === 0;
  const isSame = (other: Day) => other.year === day.year && (isOfYear || other.month === day.month);
  const step = number > 0 ? -7 : 7;
  let place = 1;
  while (isSame(dayAt(day.number + step * place))) place += 1;
  return place === Math.abs(number);
}

/** How many days, weeks, months or years its period is after that of DTSTART. */
function periodOf({ frequency, weekStart }: SpokenRule, start: Day, { day, kept }: Named): number {
  switch (frequency) {
    case 'DAILY':
      return kept.number - start.number;
    case 'WEEKLY':
      return (weekOf(kept, weekStart).number - weekOf(start, weekStart).number) / 7;
    case 'MONTHLY':
      return (day.year - start.year) * 12 + day.month - start.month;
    case 'YEARLY':
      return day.year - start.year;
  }
}

function weekOf(day: Day, weekStart: string): Day {
  let first = day;
  while (weekdayOf(first) !== weekStart) first = dayAt(first.number - 1);
  return first;
}

/** Those of the days of one period, in order and without duplicates, that BYSETPOS selects. */
function chosen({ bySetPos }: SpokenRule, named: readonly Named[]): Named[] {
  const sorted = named.toSorted(
    (one, other) =>
      one.kept.number - other.kept.number || one.day.text.localeCompare(other.day.text),
  );
  const distinct: Named[] = [];
  for (const one of sorted) {
    if (distinct.at(-1)?.kept.number !== one.kept.number) distinct.push(one);
  }
  if (bySetPos.length === 0) return distinct;
  const places = new Set(bySetPos.map((place) => distinct.at(place > 0 ? place - 1 : place)));
  return distinct.filter((one) => places.has(one));
}

const years = new Map<number, readonly Day[]>();
const existing = new Map<number, Day>();

function daysOf(first: number, last: number): readonly Day[] {
  return Array.from({ length: last - first + 1 }, (_, index) => daysOfYear(first + index)).flat();
}

function daysOfYear(year: number): readonly Day[] {
  let days = years.get(year);
  if (days === undefined) {
    days = Array.from({ length: 372 }, (_, index) => {
      const [month, day] = [Math.floor(index / 31) + 1, (index % 31) + 1];
      const date = new Date(Date.UTC(year, month - 1, day));
      const text = [year, month, day].map((part) => String(part).padStart(2, '0')).join('-');
      const exists = date.getUTCDate() === day;
      return { text, year, month, day, exists, number: date.getTime() / 86_400_000 };
    });
    years.set(year, days);
    for (const day of days) if (day.exists) existing.set(day.number, day);
  }
  return days;
}

function dayOf(text: string): Day {
  const [year = 0, month = 0, day = 0] = text.split('-').map(Number);
  return daysOfYear(year)[(month - 1) * 31 + day - 1] as Day;
}

function dayAt(number: number): Day {
  return existing.get(number) ?? dayOf(new Date(number * 86_400_000).toISOString().slice(0, 10));
}

function weekdayOf(day: Day): string {
  // 1 January 1970 was a Thursday; the years here are later.
  return WEEKDAYS[(day.number + 4) % 7] as string;
}
