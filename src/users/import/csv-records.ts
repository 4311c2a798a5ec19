import { CsvError, type Options, parse } from 'csv-parse/sync';

import type { Line } from './lines.ts';

/** A record of a CSV file: a line, or several if a quoted field holds line breaks. */
export interface CsvRecord {
  /** The number of its first line. */
  readonly line: number;
  readonly values: readonly string[];
  /** As it appears in the file. */
  readonly text: string;
  /** The rule that it breaks, if any; then it has no values. */
  readonly fault: string | null;
  /** Bytes from the beginning of the file to its end. */
  readonly end: number;
}

/** More than twenty times what a record of users needs. */
const RECORD_MAX_LENGTH = 256 * 1024;
const RECORD_MAX_LINES = 1_000;

/**
 * Reads CSV according to RFC 4180, with any separator and white space around fields; skips lines
 * without any value. A malformed record affects no other one: after a quote that is never closed,
 * reading resumes at the next line.
 */
export async function* readCsvRecords(
  blocks: AsyncIterable<readonly Line[]>,
  delimiter: string,
): AsyncGenerator<readonly CsvRecord[], undefined> {
  let waiting: QuotedLine[] = [];
  for await (const block of blocks) {
    waiting = waiting.concat(block.map(withQuotes));
    const { records, left } = takeRecords(waiting, delimiter, false);
    waiting = left;
    if (records.length > 0) yield records;
  }
  const { records } = takeRecords(waiting, delimiter, true);
  if (records.length > 0) yield records;
}

interface QuotedLine extends Line {
  readonly hasOddQuotes: boolean;
}

function withQuotes(line: Line): QuotedLine {
  let quotes = 0;
  for (let at = line.text.indexOf('"'); at !== -1; at = line.text.indexOf('"', at + 1)) quotes += 1;
  return { ...line, hasOddQuotes: quotes % 2 === 1 };
}

function takeRecords(lines: readonly QuotedLine[], delimiter: string, isAtEnd: boolean) {
  const records: CsvRecord[] = [];
  /** Complete, and parsed together: parsing one by one takes ten times as long. */
  let ready: (readonly QuotedLine[])[] = [];
  const parseReady = (): void => {
    records.push(...parseTogether(ready, delimiter));
    ready = [];
  };

  let from = 0;
  while (from < lines.length) {
    const first = lines[from];
    if (first === undefined) break;
    const count = first.fault === null ? linesOfRecord(lines, from) : 1;
    if (count === null && !isAtEnd) break;
    if (first.fault !== null || count === null || count === 0) {
      parseReady();
      records.push(refused(first, first.fault ?? NOT_CLOSED));
      from += 1;
    } else if (count === 1) {
      ready.push([first]);
      from += 1;
    } else {
      parseReady();
      const whole = parseOne(lines.slice(from, from + count), delimiter);
      // The quote may not be the beginning of a field: then the lines do not belong together.
      records.push(whole.fault === null ? whole : refused(first, whole.fault));
      from += whole.fault === null ? count : 1;
    }
  }
  parseReady();
  return { records: records.filter(hasSomething), left: lines.slice(from) };
}

/** Null if its end has not arrived yet; 0 if there is none within the limits. */
function linesOfRecord(lines: readonly QuotedLine[], from: number): number | null {
  let isOpen = false;
  let length = 0;
  for (let at = from; at < lines.length; at += 1) {
    const line = lines[at];
    if (line === undefined) break;
    length += line.text.length;
    if (line.hasOddQuotes) isOpen = !isOpen;
    if (line.fault !== null) return 0;
    if (!isOpen) return at + 1 - from;
    if (length > RECORD_MAX_LENGTH || at - from > RECORD_MAX_LINES) return 0;
  }
  return null;
}

function parseTogether(
  records: readonly (readonly QuotedLine[])[],
  delimiter: string,
): readonly CsvRecord[] {
  const filled = records.filter((lines) => textOf(lines).trim() !== '');
  if (filled.length === 0) return [];
  try {
    const parsed = parse(filled.map(textOf).join('\n'), optionsFor(delimiter));
    if (parsed.length === filled.length) {
      return filled.map((lines, index) => recordOf(lines, parsed[index] ?? []));
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
  }
  return filled.map((lines) => parseOne(lines, delimiter));
}

function parseOne(lines: readonly QuotedLine[], delimiter: string): CsvRecord {
  try {
    const [values = []] = parse(textOf(lines), optionsFor(delimiter));
    return recordOf(lines, values);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const fault = FAULTS[error.code] ?? `is not CSV (${error.code})`;
    return { ...recordOf(lines, []), fault };
  }
}

function optionsFor(delimiter: string): Options {
  // The caller checks the number of columns.
  return { delimiter, trim: true, relax_column_count: true, record_delimiter: '\n' };
}

function recordOf(lines: readonly QuotedLine[], values: readonly string[]): CsvRecord {
  const [first] = lines;
  const last = lines.at(-1);
  return {
    line: first?.number ?? 0,
    values,
    text: textOf(lines),
    fault: null,
    end: last?.end ?? 0,
  };
}

function refused(line: QuotedLine, fault: string): CsvRecord {
  return { ...recordOf([line], []), fault };
}

function textOf(lines: readonly Line[]): string {
  return lines.map(({ text }) => text).join('\n');
}

function hasSomething({ fault, values }: CsvRecord): boolean {
  return fault !== null || values.some((value) => value.trim() !== '');
}

const NOT_CLOSED = 'has a quote that is never closed';
const MISPLACED =
  'has a quote inside a field: put the field in quotes, and write two for each quote in it';

const FAULTS: Readonly<Record<string, string>> = {
  CSV_INVALID_CLOSING_QUOTE: 'has text after a closing quote',
  CSV_QUOTE_NOT_CLOSED: NOT_CLOSED,
  CSV_INVALID_OPENING_QUOTE: MISPLACED,
  INVALID_OPENING_QUOTE: MISPLACED,
};
