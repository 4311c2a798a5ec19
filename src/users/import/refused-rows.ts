/**
 * The file of refused rows: each unchanged, with the reason in front, to be corrected and imported
 * again.
 */
import type { RowFault } from './file-rows.ts';
import { REASON_COLUMN } from './columns.ts';

export interface RefusedRows {
  /** The first line of the file, with its end; empty if it needs none. */
  readonly header: string;
  /** A row of the file, with its end. @param text as it appeared in the imported file */
  readonly rowOf: (text: string, reason: string) => string;
}

export function reasonOf(faults: readonly Pick<RowFault, 'field' | 'rule'>[]): string {
  return faults.map(({ field, rule }) => `${field} ${rule}`).join('; ');
}

/** @param header of the imported file: its text, and its first value */
export function refusedCsvRows(
  header: { readonly text: string; readonly values: readonly string[] },
  delimiter: string,
): RefusedRows {
  const hasReasons = header.values[0] === REASON_COLUMN;
  const withoutReason = (text: string): string => (hasReasons ? afterFirst(text, delimiter) : text);
  return {
    header: `${REASON_COLUMN}${delimiter}${withoutReason(header.text)}\r\n`,
    rowOf: (text, reason) =>
      `"${reason.replaceAll('"', '""')}"${delimiter}${withoutReason(text)}\r\n`,
  };
}

/** Without the reason of an earlier import. */
function afterFirst(text: string, delimiter: string): string {
  const quoted = /^\s*"(?:[^"]|"")*"\s*/.exec(text)?.[0] ?? '';
  const at = text.indexOf(delimiter, quoted.length);
  return at === -1 ? '' : text.slice(at + delimiter.length);
}

export const REFUSED_JSON_ROWS: RefusedRows = {
  header: '',
  rowOf: (text, reason) => `${withReason(text, reason)}\n`,
};

/** Text that is not JSON stays as it is. */
function withReason(text: string, reason: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return text;
    return JSON.stringify({ ...value, [REASON_COLUMN]: reason });
  } catch {
    return text;
  }
}
