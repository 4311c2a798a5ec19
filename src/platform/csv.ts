/** Cells of the CSV that Daybell writes: the export, and the lists of the audit and the forecast. */

/**
 * A spreadsheet runs a cell that begins like this as a formula, unless it is a number. Text that
 * already begins with apostrophes gets another one, so that removing one restores the text. See
 * https://owasp.org/www-community/attacks/CSV_Injection.
 */
const FORMULA = /^'*[=+\-@]/;
const NUMBER = /^[+-]?\d+(?:\.\d+)?$/;

/** A cell of RFC 4180. An apostrophe in front turns a formula into text. */
export function csvCell(text: string): string {
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  const isQuoted = /[",\r\n]/.test(safe) || safe !== safe.trim();
  return isQuoted ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The text of a cell without the apostrophe that `csvCell` may have put before it. */
export function withoutApostrophe(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;
}
