import { MIMEType } from 'node:util';

import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';

import { InvalidInputError } from '../../users/errors.ts';
import { dateStyleFault } from '../../users/import/dates.ts';
import { type FileOptions, openFile } from '../../users/import/file-rows.ts';
import type { ImportLine } from '../../users/import/import.ts';
import { UnreadableFileError } from '../../users/import/lines.ts';
import { needs } from '../access.ts';
import { createOpenLimit } from '../concurrency-limit.ts';
import type { Api, ApiDeps, ApiEnv } from '../deps.ts';
import { CSV_EXAMPLE, ImportLineSchema, importQuery } from '../schemas/imports.ts';
import { LOGGED, noteOperation } from '../operator-log.ts';
import { problems, sendProblem } from '../problem.ts';
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
        description: 'Progress and result, one JSON object a line',
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
    // The client disconnected before the header arrived.
    throw new HTTPException(400, { cause });
  }
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

/** Whether it is completed, and what it has done, is known only at the end of the stream. */
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
