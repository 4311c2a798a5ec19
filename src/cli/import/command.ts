/**
 * `npm run import -- people.csv`: imports users from a CSV or NDJSON file into the Daybell at HOST
 * and PORT, or at --url, with API_KEY. Exit code 1 when rows were refused.
 */
import { createReadStream } from 'node:fs';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream';
import { parseArgs } from 'node:util';

import { loadSettings } from '../../platform/settings/settings.ts';
import { type ColumnField, OCCASION_COLUMNS, USER_COLUMNS } from '../../users/import/columns.ts';
import type { FileOptions } from '../../users/import/file-rows.ts';
import type { ImportLine } from '../../users/import/import.ts';
import { reasonOf } from '../../users/import/refused-rows.ts';
import { refuseInput } from '../answer.ts';
import {
  CommandError,
  EXIT,
  refusedBy,
  runCommand,
  type RunningApi,
  runningApi,
  warn,
} from '../command.ts';
import { inspectFile } from './inspect.ts';
import { createProgressBar, summaryText } from './progress.ts';
import { writeRejected } from './rejected.ts';

const USAGE = `Usage: npm run import -- FILE [options]
  --dry-run               check everything, store nothing
  --map COLUMN=FIELD      which field a column holds; once for each column
  --date-format FORMAT    such as DD.MM.YYYY
  --year-pivot NN         with years of two digits: the last one of this century
  --timezone ZONE         for users without one in the file
  --encoding NAME         such as windows-1252
  --errors FILE           where refused rows go, with reasons, to be corrected and imported again
  --sync                  delete users who are not in the file
  --max-deletes N         how many that may be, instead of a tenth of all
  --url URL               the Daybell to import into, instead of HOST and PORT`;

/** The first ones are shown; all of them go to --errors. */
const REFUSED_SHOWN = 20;

await runCommand(main);

async function main(): Promise<number> {
  let values: ReturnType<typeof readArguments>;
  try {
    values = readArguments();
  } catch (error) {
    return refuseInput(error instanceof Error ? error.message : String(error), USAGE);
  }
  const { file, options, errors, url, query } = values;
  const settings = loadSettings();
  const own = runningApi(settings);
  const api = url === null ? own : { ...own, url: url.replace(/\/+$/, '') };
  const { bytes, dateFormat } = await inspectFile(file, options, query.get('dateFormat'));
  if (dateFormat !== null) query.set('dateFormat', dateFormat);

  const startedAt = performance.now();
  const { stderr } = process;
  const bar = createProgressBar({
    bytes,
    write: (text) => void stderr.write(text),
    isTerminal: stderr.isTTY,
    clock: () => performance.now(),
  });
  const reasons = new Map<number, string>();
  const shown: string[] = [];
  let end: Extract<ImportLine, { type: 'summary' | 'error' }> | null = null;
  for await (const line of send(api, file, options, query)) {
    if (line.type === 'progress') bar.show(line);
    else if (line.type === 'refused') {
      if (reasons.size < REFUSED_SHOWN)
        shown.push(`Line ${line.line}: ${reasonOf(line.faults)}${valuesOf(line)}`);
      reasons.set(line.line, reasonOf(line.faults));
    } else if (line.type !== 'header') end = line;
  }
  bar.end();

  for (const line of shown) warn(line);
  if (reasons.size > REFUSED_SHOWN) warn(`… and ${reasons.size - REFUSED_SHOWN} more.`);
  if (errors !== null && reasons.size > 0) {
    await writeRejected(file, errors, options, reasons);
    warn(`The refused rows are in ${errors}.`);
  }
  if (end?.type !== 'summary') {
    const why =
      end?.message ?? 'The connection was lost. What was imported stays; send the file again.';
    throw new CommandError(`The import ended early. ${why}`, EXIT.unavailable);
  }
  process.stdout.write(summaryText(end, performance.now() - startedAt));
  return reasons.size > 0 || (end.sync?.refused ?? null) !== null ? EXIT.failed : 0;
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'dry-run': { type: 'boolean', default: false },
      map: { type: 'string', multiple: true, default: [] },
      'date-format': { type: 'string' },
      'year-pivot': { type: 'string' },
      timezone: { type: 'string' },
      encoding: { type: 'string' },
      errors: { type: 'string' },
      sync: { type: 'boolean', default: false },
      'max-deletes': { type: 'string' },
      url: { type: 'string' },
    },
  });
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw new Error('One file is required.');
  const query = new URLSearchParams(values.map.map((pair): [string, string] => ['map', pair]));
  const given = {
    dryRun: values['dry-run'] ? 'true' : undefined,
    sync: values.sync ? 'true' : undefined,
    maxDeletes: values['max-deletes'],
    dateFormat: values['date-format'],
    yearPivot: values['year-pivot'],
    timezone: values.timezone,
  };
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) query.set(name, value);
  }
  const options: FileOptions = {
    format: /\.(?:ndjson|jsonl)$/i.test(file) ? 'ndjson' : 'csv',
    charset: values.encoding ?? null,
    delimiter: null,
    map: new Map(values.map.map(readPair)),
  };
  return { file, options, query, errors: values.errors ?? null, url: values.url ?? null };
}

function readPair(pair: string): readonly [string, ColumnField] {
  const at = pair.lastIndexOf('=');
  const fields: readonly ColumnField[] = [...USER_COLUMNS, ...OCCASION_COLUMNS];
  const field = fields.find((name) => name === pair.slice(at + 1));
  if (at > 0 && field !== undefined) return [pair.slice(0, at).trim(), field];
  throw new Error(`--map must be COLUMN=FIELD, with a field of ${fields.join(', ')}.`);
}

type Refused = Extract<ImportLine, { type: 'refused' }>;

function valuesOf({ faults }: Refused): string {
  const values = faults.flatMap(({ value }) => (value === undefined ? [] : [String(value)]));
  return values.length === 0 ? '' : ` (${values.join('; ')})`;
}

/**
 * Sends a file, and yields the lines of the response as they come, while it is still being sent.
 */
async function* send(
  api: RunningApi,
  file: string,
  { format, charset }: FileOptions,
  query: URLSearchParams,
): AsyncGenerator<ImportLine> {
  const { url, headers } = api;
  const type = format === 'csv' ? 'text/csv' : 'application/x-ndjson';
  const target = new URL(`${url}/v1/imports?${query.toString()}`);
  const request = (target.protocol === 'https:' ? requestHttps : requestHttp)(target, {
    method: 'POST',
    headers: {
      ...headers,
      'Content-Type': charset === null ? type : `${type}; charset=${charset}`,
    },
  });
  const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once('response', resolve);
  request.on('error', reject);
  // If the body is not read to its end, the response says why.
  pipeline(createReadStream(file), request, () => {});
  const response = await answered.catch((cause: unknown) => {
    const message = `No Daybell answers at ${url} (HOST, PORT, --url).`;
    throw new CommandError(message, EXIT.unavailable, { cause });
  });
  const { statusCode: status = 0 } = response;
  if (status !== 200) {
    const text = await response.setEncoding('utf8').toArray();
    throw new CommandError(refusedBy(api, { status }, text.join('')), EXIT.unavailable);
  }
  yield* linesOf(response);
}

/** Ends when the connection does: what the last progress line confirmed is stored. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<ImportLine> {
  let open = '';
  try {
    for await (const text of response.setEncoding('utf8')) {
      const lines = `${open}${text}`.split('\n');
      open = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line);
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
  }
}
