/**
 * The file of refused rows: each unchanged, with the reason in front, to be corrected and imported
 * again.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { once } from 'node:events';

import { type FileOptions, JSON_LINE_MAX_BYTES, openTable } from '../../users/import/file-rows.ts';
import { readLines } from '../../users/import/lines.ts';
import { REFUSED_JSON_ROWS, refusedCsvRows } from '../../users/import/refused-rows.ts';

/**
 * Writes the rows of these lines, each with its reason. Always in UTF-8, whatever the file was in.
 */
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
  const refused = refusedCsvRows(header, delimiter);
  yield refused.header;
  for await (const block of records) {
    for (const { line, text } of block) {
      const reason = reasons.get(line);
      if (reason !== undefined) yield refused.rowOf(text, reason);
    }
  }
}

async function* jsonRows(
  from: string,
  { charset }: FileOptions,
  reasons: ReadonlyMap<number, string>,
): AsyncGenerator<string> {
  for await (const block of readLines(createReadStream(from), charset, JSON_LINE_MAX_BYTES)) {
    for (const { number, text } of block) {
      const reason = reasons.get(number);
      if (reason !== undefined) yield REFUSED_JSON_ROWS.rowOf(text, reason);
    }
  }
}
