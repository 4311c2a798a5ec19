/** The file of refused rows: each as it stood, with why in front, to be corrected and imported again. */
import { createReadStream, createWriteStream } from 'node:fs';
import { once } from 'node:events';

import { REASON_COLUMN } from '../../users/import/columns.ts';
import { type FileOptions, JSON_LINE_MAX_BYTES, openTable } from '../../users/import/file-rows.ts';
import { readLines } from '../../users/import/lines.ts';

/** Writes the rows of these lines, each with its reason. UTF-8, whatever the file was in. */
export async function writeRejected(
  from: string,
  to: string,
  options: FileOptions,
  reasons: ReadonlyMap<number, string>,
): Promise<void> {
  const out = createWriteStream(to);
  const rows =
    options.format === 'csv' ? csvRows(from, options, reasons) : jsonRows(from, options, reasons);
  for await (const row of rows) {
    if (!out.write(row)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
}

async function* csvRows(
  from: string,
  options: FileOptions,
  reasons: ReadonlyMap<number, string>,
): AsyncGenerator<string> {
  const { header, delimiter, records } = await openTable(createReadStream(from), options);
  if (header === null) return;
  const hasReasons = header.values[0] === REASON_COLUMN;
  const withoutReason = (text: string): string => (hasReasons ? afterFirst(text, delimiter) : text);
  yield `${REASON_COLUMN}${delimiter}${withoutReason(header.text)}\r\n`;
  for await (const block of records) {
    for (const { line, text } of block) {
      const reason = reasons.get(line);
      if (reason === undefined) continue;
      yield `"${reason.replaceAll('"', '""')}"${delimiter}${withoutReason(text)}\r\n`;
    }
  }
}

/** Without the reason of an earlier time. */
function afterFirst(text: string, delimiter: string): string {
  const quoted = /^\s*"(?:[^"]|"")*"\s*/.exec(text)?.[0] ?? '';
  const at = text.indexOf(delimiter, quoted.length);
  return at === -1 ? '' : text.slice(at + delimiter.length);
}

async function* jsonRows(
  from: string,
  { charset }: FileOptions,
  reasons: ReadonlyMap<number, string>,
): AsyncGenerator<string> {
  for await (const block of readLines(createReadStream(from), charset, JSON_LINE_MAX_BYTES)) {
    for (const { number, text } of block) {
      const reason = reasons.get(number);
      if (reason !== undefined) yield `${withReason(text, reason)}\n`;
    }
  }
}

/** What is no JSON stays as it is. */
function withReason(text: string, reason: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return text;
    return JSON.stringify({ ...value, [REASON_COLUMN]: reason });
  } catch {
    return text;
  }
}
