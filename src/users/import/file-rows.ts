import { withoutApostrophe } from '../../platform/csv.ts';
import type { FieldFault } from '../errors.ts';
import { InvalidInputError } from '../errors.ts';
import {
  type ColumnField,
  type Columns,
  findDelimiter,
  readHeader,
  REASON_COLUMN,
} from './columns.ts';
import { type CsvRecord, readCsvRecords } from './csv-records.ts';
import { type Line, readLines } from './lines.ts';
import { REFUSED_JSON_ROWS, type RefusedRows, refusedCsvRows } from './refused-rows.ts';

/** A row's content, before it is checked. Fields that it does not have are absent. */
export interface FileRow {
  readonly line: number;
  /** Bytes from the beginning of the file to the end of the row. */
  readonly end: number;
  /** As it appears in the file. */
  readonly text: string;
  readonly user: FileFields;
  readonly occasions: readonly FileFields[];
  readonly faults: readonly RowFault[];
}

export type FileFields = Readonly<Record<string, unknown>>;

export interface RowFault extends FieldFault {
  readonly value?: unknown;
}

export interface FileOptions {
  readonly format: 'csv' | 'ndjson';
  /** As named by Content-Type; null for UTF-8. */
  readonly charset: string | null;
  /** Null to detect it from the header. */
  readonly delimiter: string | null;
  /** The file's own names for columns that Daybell names otherwise. */
  readonly map: ReadonlyMap<string, ColumnField>;
}

export interface OpenFile {
  readonly rows: AsyncIterable<readonly FileRow[]>;
  /** Columns that are not read. */
  readonly ignoredColumns: readonly string[];
  /** The name of a field of the row's n-th occasion. */
  readonly occasionField: (field: string, index: number) => string;
  readonly refused: RefusedRows;
}

/** The limits of one record; of a user with 10,000 occasions in one line of JSON. */
const CSV_LINE_MAX_BYTES = 256 * 1024;
export const JSON_LINE_MAX_BYTES = 8 * 1024 * 1024;

/**
 * Reads the header of a CSV file, and then its rows on demand.
 *
 * @throws InvalidInputError if the header lacks required columns
 * @throws UnreadableFileError
 */
export async function openFile(
  chunks: AsyncIterable<Uint8Array>,
  options: FileOptions,
): Promise<OpenFile> {
  if (options.format === 'ndjson') {
    const lines = readLines(chunks, options.charset, JSON_LINE_MAX_BYTES);
    return {
      rows: readJsonRows(lines),
      ignoredColumns: [],
      occasionField: (field, index) => `occasions.${index}.${field}`,
      refused: REFUSED_JSON_ROWS,
    };
  }
  const table = await openTable(chunks, options);
  const columns = readHeader(table.header?.values ?? [], options.map);
  if ('faults' in columns) {
    const fault = table.header?.fault ?? null;
    throw new InvalidInputError(
      fault === null ? columns.faults : [{ field: 'header', rule: fault }],
    );
  }
  return {
    rows: readCsvRows(table.records, columns),
    ignoredColumns: columns.ignored,
    occasionField: occasionColumn,
    refused: refusedCsvRows(table.header ?? { text: '', values: [] }, table.delimiter),
  };
}

/** A CSV file whose header has been read; null if it has none. */
export async function openTable(
  chunks: AsyncIterable<Uint8Array>,
  { charset, delimiter, map }: Pick<FileOptions, 'charset' | 'delimiter' | 'map'>,
) {
  const lines = readLines(chunks, charset, CSV_LINE_MAX_BYTES);
  const begin = await takeFirstLine(lines);
  // Excel's own way to declare the separator.
  const declared = /^sep=(.)$/i.exec(begin?.first.text ?? '')?.[1] ?? null;
  const rest = declared === null ? begin?.block : begin?.block.slice(1);
  const separator = delimiter ?? declared ?? findDelimiter(begin?.first.text ?? '', map);
  const records = readCsvRecords(join(rest ?? [], lines), separator);
  const first = await records.next();
  const [header = null, ...others] = first.done === true ? [] : first.value;
  return { header, delimiter: separator, records: join(others, records) };
}

/** The block with the first line that has any text. */
async function takeFirstLine(lines: AsyncGenerator<readonly Line[], undefined>) {
  for (;;) {
    const { value: block, done } = await lines.next();
    if (done === true || block === undefined) return null;
    const at = block.findIndex(({ text, fault }) => text.trim() !== '' || fault !== null);
    const first = block[at];
    if (first !== undefined) return { first, block: block.slice(at) };
  }
}

async function* join<Item>(
  begin: readonly Item[],
  rest: AsyncIterable<readonly Item[]>,
): AsyncGenerator<readonly Item[], undefined> {
  if (begin.length > 0) yield begin;
  yield* rest;
}

async function* readCsvRows(
  records: AsyncIterable<readonly CsvRecord[]>,
  columns: Columns,
): AsyncGenerator<readonly FileRow[], undefined> {
  for await (const block of records) yield block.map((record) => csvRow(record, columns));
}

function csvRow(record: CsvRecord, { fields }: Columns): FileRow {
  const { line, end, text, values } = record;
  const fault = record.fault ?? columnsFault(values, fields.length);
  if (fault !== null) {
    const faults = [{ field: 'line', rule: fault, value: record.text }];
    return { line, end, text, user: {}, occasions: [], faults };
  }
  const user: Record<string, unknown> = {};
  const occasion: Record<string, unknown> = {};
  const faults: RowFault[] = [];
  let hasOccasion = false;
  for (const [at, field] of fields.entries()) {
    if (field === null) continue;
    const value = withoutApostrophe(values[at] ?? '');
    const cell = cellOf(field, value);
    if (cell.rule !== undefined) faults.push({ field, rule: cell.rule, value });
    else if (!field.startsWith('occasion')) user[field] = cell.value;
    else occasion[occasionField(field)] = cell.value;
    if (field.startsWith('occasion') && value !== '') hasOccasion = true;
  }
  return { line, end, text, user, occasions: hasOccasion ? [occasion] : [], faults };
}

/** Empty fields at the end come from a spreadsheet's empty columns. */
function columnsFault(values: readonly string[], count: number): string | null {
  const isTooLong = values.slice(count).some((value) => value !== '');
  if (values.length >= count && !isTooLong) return null;
  return `must have ${count} fields, as the header has, and has ${values.length}`;
}

/** The column `occasionDate` is an occasion's `date`. */
function occasionField(column: string): string {
  if (column === 'occasionId') return column;
  return `${column.charAt('occasion'.length).toLowerCase()}${column.slice('occasion'.length + 1)}`;
}

function occasionColumn(field: string): string {
  if (field === 'occasionId') return field;
  return `occasion${field.charAt(0).toUpperCase()}${field.slice(1)}`;
}

interface Cell {
  readonly value?: unknown;
  readonly rule?: string;
}

/** Converts a cell's text to a JSON value. An empty cell has none. */
function cellOf(column: ColumnField, text: string): Cell {
  switch (column) {
    case 'lastName':
      return { value: text };
    // An empty cell does not lift an opt-out: the sheet may have `true` for users who opted out.
    case 'suspended':
    case 'occasionSuspended':
      return text === '' ? {} : booleanCell(text);
    case 'suspendedReason':
    case 'occasionSuspendedReason':
      return text === '' ? {} : { value: text };
    case 'occasionOffsetDays':
      if (text === '') return { value: 0 };
      return /^\d{1,6}$/.test(text) ? { value: Number(text) } : { value: text };
    case 'occasionData':
      return text === '' ? { value: null } : jsonCell(text);
    default:
      return { value: text === '' ? null : text };
  }
}

const TRUE = new Set(['true', 'yes', '1']);
const FALSE = new Set(['false', 'no', '0']);

function booleanCell(text: string): Cell {
  const word = text.toLowerCase();
  if (TRUE.has(word)) return { value: true };
  return FALSE.has(word) ? { value: false } : { rule: 'must be true or false' };
}

function jsonCell(text: string): Cell {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { rule: 'must be a JSON object' };
  }
}

async function* readJsonRows(
  blocks: AsyncIterable<readonly Line[]>,
): AsyncGenerator<readonly FileRow[], undefined> {
  for await (const block of blocks) {
    yield block.filter(({ text, fault }) => text.trim() !== '' || fault !== null).map(jsonRow);
  }
}

function jsonRow({ number, text, end, fault }: Line): FileRow {
  const refuse = (rule: string, field = 'line'): FileRow => ({
    line: number,
    end,
    text,
    user: {},
    occasions: [],
    faults: [{ field, rule, value: text }],
  });
  if (fault !== null) return refuse(fault);
  const value = parseJson(text);
  if (!isFields(value)) return refuse('must be a JSON object');
  const { occasions = [], [REASON_COLUMN]: _reason, ...user } = value;
  const isList = Array.isArray(occasions) && occasions.every(isFields);
  if (!isList) return refuse('must be a list of JSON objects', 'occasions');
  return { line: number, end, text, user, occasions, faults: [] };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is FileFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
