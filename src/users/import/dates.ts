import { parseCalendarDate } from '../../time/calendar-date.ts';

/** How the dates of a file are written. */
export interface DateStyle {
  /** Such as `DD.MM.YYYY`; null for ISO 8601, `YYYY-MM-DD`. */
  readonly format: string | null;
  /** The last two-digit year of this century: with 30, `30` is 2030 and `31` is 1931. */
  readonly pivot: number | null;
}

export type DateReading =
  /** `YYYY-MM-DD`. */
  | { readonly date: string; readonly rule?: undefined }
  | { readonly date?: undefined; readonly rule: string; readonly isSwapped: boolean };

/** The rule that a style breaks, or null. */
export function dateStyleFault({ format, pivot }: DateStyle): string | null {
  if (format === null) return null;
  const parts: readonly string[] = format.match(PARTS) ?? [];
  const kinds = parts.map((part) => part[0]);
  const isWhole = ['Y', 'M', 'D'].every((kind) => kinds.filter((one) => one === kind).length === 1);
  if (!isWhole || !/^[YMD./\- ]+$/.test(format) || parts.some((part) => !KNOWN.has(part))) {
    return 'must have a year (YYYY or YY), a month (MM or M) and a day (DD or D), such as DD.MM.YYYY';
  }
  if (parts.includes('YY') && pivot === null) {
    return 'needs yearPivot for years of two digits: with yearPivot=30, 30 is 2030 and 31 is 1931';
  }
  return null;
}

/** Returns a function that reads a date of that style, which must have no fault. */
export function createDateReader({ format, pivot }: DateStyle): (text: string) => DateReading {
  const written = format ?? 'YYYY-MM-DD';
  const order = (written.match(PARTS) ?? []).map((part) => part[0]);
  const pattern = patternOf(written);
  return (text) => {
    const found = pattern.exec(text);
    if (found === null) return { rule: ruleFor(text, written), isSwapped: false };
    const parts = new Map(order.map((kind, at) => [kind, found[at + 1] ?? '']));
    const year = fullYear(parts.get('Y') ?? '', pivot);
    const dateOf = (month = '', day = ''): string =>
      `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
    const date = dateOf(parts.get('M'), parts.get('D'));
    if (parseCalendarDate(date) !== null) return { date };
    const isSwapped = parseCalendarDate(dateOf(parts.get('D'), parts.get('M'))) !== null;
    return {
      rule: `must be a day of the calendar, written ${written}${isSwapped ? '; are day and month swapped?' : ''}`,
      isSwapped,
    };
  };
}

const PARTS = /Y+|M+|D+/g;
const KNOWN = new Set(['YYYY', 'YY', 'MM', 'M', 'DD', 'D']);

/** Where separators delimit the parts, leading zeros may be missing: 1.5.1990 for DD.MM.YYYY. */
function patternOf(format: string): RegExp {
  const isSeparated = /[^YMD]/.test(format) && format !== 'YYYY-MM-DD';
  const source = format.replaceAll(/Y+|M+|D+|[./\- ]/g, (part) => {
    if (part === 'YYYY') return String.raw`(\d{4})`;
    if (part === 'YY') return String.raw`(\d{2})`;
    if (!KNOWN.has(part)) return `\\${part}`;
    return isSeparated || part.length === 1 ? String.raw`(\d{1,2})` : String.raw`(\d{2})`;
  });
  return new RegExp(`^${source}$`);
}

function fullYear(year: string, pivot: number | null): string {
  if (year.length === 4) return year;
  return Number(year) <= (pivot ?? 99) ? `20${year}` : `19${year}`;
}

function ruleFor(text: string, format: string): string {
  const known = MISREAD.find(([pattern]) => pattern.test(text));
  return known?.[1] ?? `must be a date written ${format}`;
}

const MISREAD: readonly (readonly [RegExp, string])[] = [
  [
    /^\d{5}(?:\.\d+)?$/,
    "must be a date, and is a spreadsheet's serial number: format the column as text or as YYYY-MM-DD before exporting it",
  ],
  [
    /^(?:\d{1,2}[./-]\d{1,2}\.?|--\d{2}-?\d{2})$/,
    'must have a year: a date without one is not accepted',
  ],
  [
    /^\d{1,2}[./-]\d{1,2}[./-]\d{2}$/,
    'must have a year of four digits; years of two are read with a dateFormat such as DD.MM.YY and a yearPivot',
  ],
  [/^\d{4}-\d{2}-\d{2}[T ]/, 'must be a date alone, without a time'],
];
