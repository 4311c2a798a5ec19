/**
 * Recurrence rules of RFC 5545 (RRULE), as far as they name days, with the SKIP of RFC 7529. Names
 * and values are case-insensitive, as in the RFC.
 */
import { parseCalendarDate } from './calendar-date.ts';

const FREQUENCIES = ['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'] as const;
/** From Monday, 0, to Sunday, 6. */
const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];

export interface RecurrenceRule {
  readonly frequency: (typeof FREQUENCIES)[number];
  readonly interval: number;
  /** 1 to 12. An empty list means that the rule does not have the part. */
  readonly byMonth: readonly number[];
  /** 1 to 31, or from the end of the month: -1 to -31. */
  readonly byMonthDay: readonly number[];
  readonly byDay: readonly NumberedWeekday[];
  readonly bySetPos: readonly number[];
  readonly weekStart: number;
  /** Infinity without COUNT. */
  readonly count: number;
  /** `YYYY-MM-DD`, the last day on which an occurrence is kept; null without UNTIL. */
  readonly until: string | null;
  /** Which day replaces one that its month does not have; null: it is omitted. */
  readonly skip: 'BACKWARD' | 'FORWARD' | null;
}

export interface NumberedWeekday {
  readonly weekday: number;
  /** Which one of the month or year, counted from its end if negative; 0 means each. */
  readonly number: number;
}

/** Thrown for text that is not such a rule. */
export class RuleError extends RangeError {
  override readonly name = 'RuleError';
  /** Names the part at fault: "must not have BYHOUR: occurrences are days". */
  readonly fault: string;

  constructor(fault: string) {
    super(`The recurrence rule ${fault}.`);
    this.fault = fault;
  }
}

/** Far more than any rule needs. */
const LONGEST = 500;

/** @throws RuleError */
export function parseRule(text: string): RecurrenceRule {
  if (text.length > LONGEST) throw new RuleError(`must have at most ${LONGEST} characters`);
  const parts = partsOf(text.toUpperCase());
  const frequency = FREQUENCIES.find((name) => name === parts.get('FREQ'));
  if (frequency === undefined) {
    throw new RuleError(`must have FREQ=${oneOf(FREQUENCIES)}: occurrences are days`);
  }
  const rule: RecurrenceRule = {
    frequency,
    interval: readNumber(parts, 'INTERVAL') ?? 1,
    byMonth: readList(parts, 'BYMONTH', 12, { negative: false }),
    byMonthDay: readList(parts, 'BYMONTHDAY', 31, { negative: true }),
    byDay: readWeekdays(parts.get('BYDAY')),
    bySetPos: readList(parts, 'BYSETPOS', 366, { negative: true }),
    weekStart: readWeekStart(parts.get('WKST')),
    count: readNumber(parts, 'COUNT') ?? Infinity,
    until: readUntil(parts.get('UNTIL')),
    skip: readSkip(parts),
  };
  const fault = combinationFault(rule);
  if (fault !== null) throw new RuleError(fault);
  return rule;
}

const KNOWN = new Set([
  'FREQ',
  'INTERVAL',
  'BYMONTH',
  'BYMONTHDAY',
  'BYDAY',
  'BYSETPOS',
  'WKST',
  'COUNT',
  'UNTIL',
  'RSCALE',
  'SKIP',
]);
const TIMES = new Set(['BYHOUR', 'BYMINUTE', 'BYSECOND']);

function partsOf(text: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  for (const part of text.split(';')) {
    const [, name, value] = /^([A-Z0-9-]+)=(.+)$/s.exec(part) ?? [];
    if (name === undefined || value === undefined) {
      throw new RuleError(
        'must be parts such as FREQ=MONTHLY;BYMONTHDAY=31, without RRULE: before',
      );
    }
    const cut = name.slice(0, 32);
    if (TIMES.has(name)) throw new RuleError(`must not have ${name}: occurrences are days`);
    if (!KNOWN.has(name)) throw new RuleError(`must not have ${cut}, which is not supported`);
    if (parts.has(name)) throw new RuleError(`must have ${name} only once`);
    parts.set(name, value);
  }
  return parts;
}

function readNumber(parts: ReadonlyMap<string, string>, name: string): number | null {
  const value = parts.get(name);
  if (value === undefined) return null;
  if (!/^\d{1,6}$/.test(value) || Number(value) === 0) {
    throw new RuleError(`must have for ${name} a whole number from 1 to 999999`);
  }
  return Number(value);
}

function readList(
  parts: ReadonlyMap<string, string>,
  name: string,
  most: number,
  { negative }: { readonly negative: boolean },
): number[] {
  const values = parts.get(name)?.split(',') ?? [];
  const numbers = values.map((value) => (/^[+-]?\d{1,3}$/.test(value) ? Number(value) : NaN));
  const isRight = numbers.every(
    (number) => number !== 0 && Math.abs(number) <= most && (negative || number > 0),
  );
  if (!isRight) {
    const range = negative ? `1 to ${most} or -${most} to -1` : `1 to ${most}`;
    throw new RuleError(`must have for ${name} numbers from ${range}`);
  }
  return numbers;
}

function readWeekdays(text: string | undefined): NumberedWeekday[] {
  return (text?.split(',') ?? []).map((value) => {
    const [, number = '0', name = ''] = /^([+-]?\d{1,2})?([A-Z]{2})$/.exec(value) ?? [];
    const weekday = WEEKDAYS.indexOf(name);
    const isRight = value === name || Number(number) !== 0;
    if (weekday === -1 || !isRight || Math.abs(Number(number)) > 53) {
      throw new RuleError('must have for BYDAY weekdays from MO to SU, such as MO, 2TU or -1FR');
    }
    return { weekday, number: Number(number) };
  });
}

function readWeekStart(text = 'MO'): number {
  const weekday = WEEKDAYS.indexOf(text);
  if (weekday === -1) throw new RuleError('must have for WKST a weekday from MO to SU');
  return weekday;
}

function readUntil(text: string | undefined): string | null {
  if (text === undefined) return null;
  const date = text.replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3');
  if (date === text || parseCalendarDate(date) === null) {
    throw new RuleError('must have for UNTIL a day YYYYMMDD, without a time: occurrences are days');
  }
  return date;
}

function readSkip(parts: ReadonlyMap<string, string>): RecurrenceRule['skip'] {
  if ((parts.get('RSCALE') ?? 'GREGORIAN') !== 'GREGORIAN') {
    throw new RuleError('must not have an RSCALE other than GREGORIAN');
  }
  const skip = parts.get('SKIP') ?? 'OMIT';
  if (skip === 'OMIT') return null;
  if (skip === 'BACKWARD' || skip === 'FORWARD') return skip;
  throw new RuleError('must have SKIP=OMIT, BACKWARD or FORWARD');
}

/** Which parts RFC 5545, 3.3.10, allows together. */
function combinationFault(rule: RecurrenceRule): string | null {
  const { frequency, byMonth, byMonthDay, byDay, bySetPos } = rule;
  if (rule.count !== Infinity && rule.until !== null) return 'must not have both COUNT and UNTIL';
  if (frequency === 'WEEKLY' && byMonthDay.length > 0) {
    return 'must not have BYMONTHDAY with FREQ=WEEKLY';
  }
  const isNumbered = byDay.some(({ number }) => number !== 0);
  if (isNumbered && (frequency === 'DAILY' || frequency === 'WEEKLY')) {
    return `must not have numbers in BYDAY with FREQ=${frequency}`;
  }
  if (bySetPos.length > 0 && byMonth.length + byMonthDay.length + byDay.length === 0) {
    return 'must not have BYSETPOS without BYDAY, BYMONTHDAY or BYMONTH';
  }
  if (rule.skip !== null && byMonthDay.some((day) => day < -28)) {
    // A day before the first has no name.
    return `must not have BYMONTHDAY from -29 to -31 with SKIP=${rule.skip}`;
  }
  return null;
}

function oneOf(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
