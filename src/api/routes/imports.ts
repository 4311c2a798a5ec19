import { MIMEType } from 'node:util';

import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';

import { InvalidInputError } from '../../users/errors.ts';
import {
  type ColumnField,
  DELIMITERS,
  OCCASION_COLUMNS,
  USER_COLUMNS,
} from '../../users/import/columns.ts';
import { dateStyleFault } from '../../users/import/dates.ts';
import { type FileOptions, openFile } from '../../users/import/file-rows.ts';
import type { ImportLine } from '../../users/import/import.ts';
import { UnreadableFileError } from '../../users/import/lines.ts';
import { LINT_CODES } from '../../users/import/lint.ts';
import { ruled, timezoneFault } from '../../users/user.ts';
import { needs } from '../access.ts';
import { createOpenLimit } from '../concurrency-limit.ts';
import type { Api, ApiDeps, ApiEnv } from '../deps.ts';
import { LOGGED, noteOperation } from '../operator-log.ts';
import { problems, sendProblem } from '../problem.ts';
import { flag } from '../schemas.ts';
import { streamText } from '../stream-text.ts';

export const IMPORTS_PATH = '/v1/imports';

const CSV = 'text/csv';
const NDJSON = 'application/x-ndjson';

export function registerImports(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'importUsers',
    ...needs('users:write', 'Users'),
    ...LOGGED,
    summary: 'Import users and occasions',
    description:
      'Creates users from a CSV or NDJSON file of any size, and updates those whose `externalId` is known. The answer is a stream of lines: progress, each refused row with the rules that it breaks, and a summary at the end; an `error` instead means that the import has ended early. What a `progress` line has confirmed is stored, and sending the file again is safe. The form of both kinds of file is in docs/import.md.',
    method: 'post',
    path: IMPORTS_PATH,
    request: {
      query: importQuery(deps),
      body: {
        required: true,
        content: {
          [CSV]: { schema: z.string().openapi({ example: CSV_EXAMPLE }) },
          [NDJSON]: { schema: z.string() },
        },
      },
    },
    responses: {
      200: {
        description: 'What becomes of the file, a line of JSON each',
        content: { [NDJSON]: { schema: ImportLineSchema } },
      },
      ...problems(400, 415),
    },
  });
  const limit = createOpenLimit();
  app.openapi(route, async (c) => {
    const format = formatOf(c);
    if (format === null) return sendProblem(c, NOT_A_FILE) as never;
    const { dryRun, sync, maxDeletes, timezone, rows, ...read } = c.req.valid('query');
    const dates = { format: read.dateFormat ?? null, pivot: read.yearPivot ?? null };
    const rule = dateStyleFault(dates);
    if (rule !== null) throw new InvalidInputError([{ field: 'dateFormat', rule }]);

    const release = limit();
    if (dryRun === true) await c.get('operation')?.discard();
    else await noteOperation(c, { sync: sync ?? false, maxDeletes: maxDeletes ?? null });
    try {
      const map = new Map(read.map);
      const options = { ...format, delimiter: read.delimiter ?? null, map };
      const file = await openBody(c.req.raw.body, options);
      const lines = deps.importer.run(file, {
        dates,
        timezone: timezone ?? null,
        dryRun: dryRun ?? false,
        sync: sync ?? false,
        maxDeletes: maxDeletes ?? null,
        returnsRows: rows ?? false,
      });
      return streamText(c, NDJSON, asText(logged(c, lines)), release) as never;
    } catch (error) {
      release();
      throw error;
    }
  });
}

const CSV_EXAMPLE = `externalId,firstName,lastName,dateOfBirth,timezone
crm-4711,Ada,Lovelace,1990-12-10,Europe/London
`;

const NOT_A_FILE = {
  status: 415,
  code: 'unsupported-media-type',
  title: 'The body is neither CSV nor NDJSON',
  detail: `Send it uncompressed, with Content-Type: ${CSV} or ${NDJSON}.`,
} as const;

/** Null for a body that is compressed or something else. */
function formatOf(c: Context<ApiEnv>): Pick<FileOptions, 'format' | 'charset'> | null {
  const coding = c.req.header('content-encoding') ?? 'identity';
  if (coding.toLowerCase() !== 'identity') return null;
  try {
    const { essence, params } = new MIMEType(c.req.header('content-type') ?? '');
    const charset = params.get('charset');
    if (essence === CSV) return { format: 'csv', charset };
    const isLines = /^application\/(?:x-)?(?:ndjson|jsonl|json-lines)$/.test(essence);
    return isLines ? { format: 'ndjson', charset } : null;
  } catch {
    return null;
  }
}

async function openBody(body: ReadableStream<Uint8Array> | null, options: FileOptions) {
  try {
    return await openFile(body ?? emptyBody(), options);
  } catch (cause) {
    if (cause instanceof InvalidInputError) throw cause;
    if (cause instanceof UnreadableFileError) {
      throw new InvalidInputError([{ field: 'body', rule: `cannot be read: ${cause.message}` }]);
    }
    // The client went away before the header was there.
    throw new HTTPException(400, { cause });
  }
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

/** Whether it is completed, and what it has done, are known at the end of the stream. */
async function* logged(
  c: Context<ApiEnv>,
  lines: AsyncIterable<ImportLine>,
): AsyncGenerator<ImportLine> {
  const end = c.get('operation')?.hold();
  let detail = {};
  try {
    for await (const line of lines) {
      if (line.type === 'progress' || line.type === 'summary') {
        const { rows, refused, users, occasions } = line;
        detail = { rows, refused, users, occasions, ended: line.type === 'summary' };
      }
      if (line.type === 'summary') detail = { ...detail, deleted: line.sync?.deleted ?? 0 };
      if (line.type === 'error') detail = { ...detail, error: line.code };
      yield line;
    }
  } finally {
    await noteOperation(c, detail);
    await end?.();
  }
}

async function* asText(lines: AsyncIterable<ImportLine>): AsyncGenerator<string> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`;
}

function wholeNumber(description: string, digits: number) {
  const rule = `must be a whole number of at most ${digits} digits`;
  return z
    .string(rule)
    .regex(new RegExp(`^\\d{1,${digits}}$`), rule)
    .transform(Number)
    .optional()
    .openapi({ type: 'integer', minimum: 0, maximum: 10 ** digits - 1, description });
}

function importQuery({ tz }: Pick<ApiDeps, 'tz'>) {
  return z.strictObject({
    dryRun: flag('Checks everything, and stores nothing'),
    sync: flag(
      'The file has all users: at its end, those who are not in it are deleted, unless they are more than a tenth of all. Occasions are never deleted',
    ),
    rows: flag(
      'Refused rows come back, each as a line of a file that can be corrected and imported again',
    ),
    maxDeletes: wholeNumber('How many users `sync` may delete, instead of a tenth of all', 9),
    dateFormat: z
      .string('must be a string')
      .max(20, 'must have at most 20 characters')
      .optional()
      .openapi({
        description: 'How dates are written, if not as YYYY-MM-DD',
        example: 'DD.MM.YYYY',
      }),
    yearPivot: wholeNumber('With YY in `dateFormat`: the last year of this century', 2),
    timezone: ruled((zone) => timezoneFault(zone, tz))
      .optional()
      .openapi({ description: 'Of users for whom the file has none', example: 'Europe/Berlin' }),
    delimiter: z
      .enum(DELIMITERS, 'must be a comma, a semicolon, a tab or a vertical bar')
      .optional()
      .openapi({ description: 'Of CSV; found out from the header if it is not given' }),
    map: z
      .union([z.string(), z.array(z.string())], 'must be text')
      .transform((pairs, context) =>
        [pairs].flat().map((pair) => {
          const at = pair.lastIndexOf('=');
          const field = COLUMN_FIELDS.find((name) => name === pair.slice(at + 1));
          if (at > 0 && field !== undefined) return [pair.slice(0, at).trim(), field] as const;
          context.addIssue({ code: 'custom', message: MAP_RULE });
          return z.NEVER;
        }),
      )
      .optional()
      .openapi({
        type: 'array',
        items: { type: 'string' },
        description:
          'Which field a column of the file holds, as `Geburtstag=dateOfBirth`, if it cannot be told from its name; once for each column',
      }),
  });
}

const COLUMN_FIELDS: readonly ColumnField[] = [...USER_COLUMNS, ...OCCASION_COLUMNS];
const MAP_RULE = `must be the name of a column, "=" and one of ${COLUMN_FIELDS.join(', ')}`;

const TallySchema = z
  .object({ created: z.int(), updated: z.int(), unchanged: z.int() })
  .openapi('ImportTally');

const counts = {
  rows: z.int().describe('Rows of the file so far, refused ones included'),
  refused: z.int(),
  users: TallySchema,
  occasions: TallySchema,
};

/** Each kind of line has a name: generators of clients make up the same one for two that have none. */
const ProgressSchema = z
  .object({
    type: z.literal('progress'),
    line: z.int().describe('Everything up to this line of the file is stored, or was refused'),
    bytes: z.int().describe('Bytes of the file up to there'),
    ...counts,
  })
  .openapi('ImportProgress');

const RefusedRowSchema = z
  .object({
    type: z.literal('refused'),
    line: z.int().describe('Of the file, from 1'),
    faults: z.array(
      z
        .object({
          field: z.string().openapi({ example: 'dateOfBirth' }),
          rule: z.string().openapi({ example: 'must be a day of the calendar' }),
          value: z.string().optional().describe('What the file has there, cut to 100 characters'),
        })
        .openapi('ImportFault'),
    ),
    row: z
      .string()
      .optional()
      .describe('With `rows`: the row as it stood, with the reason in the column refusedBecause'),
  })
  .openapi('ImportRefusedRow');

const HeaderSchema = z
  .object({
    type: z.literal('header'),
    row: z.string().describe('With `rows`: the first line of a file of refused rows; may be empty'),
  })
  .openapi('ImportHeader');

const DeletionSchema = z
  .object({
    missing: z.int().describe('Users who are not in the file'),
    deleted: z.int(),
    refused: z.string().nullable().describe('Why no users were deleted'),
  })
  .openapi('ImportDeletion');

const FindingSchema = z
  .object({
    code: z.enum(LINT_CODES),
    rows: z.int(),
    message: z.string(),
    lines: z.array(z.int()).describe('The first few'),
  })
  .openapi('ImportFinding');

const SummarySchema = z
  .object({
    type: z.literal('summary'),
    dryRun: z.boolean(),
    ...counts,
    ended: z.int().describe('Created or changed occasions that have no occurrence to come'),
    // Not nullable(): that would make ImportDeletion itself nullable.
    sync: z.union([DeletionSchema, z.null()]).describe('What `sync` has deleted; null without it'),
    ignoredColumns: z.array(z.string()).describe('Columns of the file that were not read'),
    lint: z.array(FindingSchema).describe('What was accepted, and looks wrong'),
  })
  .openapi('ImportSummary');

const FailureSchema = z
  .object({
    type: z.literal('error'),
    code: z.string(),
    message: z.string(),
  })
  .openapi('ImportFailure');

export const ImportLineSchema = z
  .discriminatedUnion('type', [
    HeaderSchema,
    ProgressSchema,
    RefusedRowSchema,
    SummarySchema,
    FailureSchema,
  ])
  .openapi('ImportLine');
