/** A form with a file, streamed: the whole file is never in memory. */
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

import { Busboy } from '@fastify/busboy';
import type { Context } from 'hono';

import { CSRF_FIELD, FOREIGN_FORM } from './access.ts';
import type { ConsoleEnv } from './env.ts';
import { PageError } from './page-error.ts';
import { isSameToken } from './sessions.ts';

/** More fields than the form has, each as long as a mapping of all columns. */
const LIMITS = { fields: 20, fieldSize: 8 * 1024, fieldNameSize: 100, files: 1, headerPairs: 20 };

export interface Upload {
  /** The fields before the file; browsers send them in the order of the page. */
  readonly fields: ReadonlyMap<string, string>;
  readonly fileName: string;
  readonly file: ReadableStream<Uint8Array>;
  /** Reads the rest and drops it: a browser shows no response before it has sent everything. */
  readonly drain: () => Promise<void>;
}

type WebBody = Parameters<typeof Readable.fromWeb>[0];

/**
 * Reads a form up to the beginning of its file. The first field must be the session's CSRF token:
 * otherwise nothing more of the form is read.
 *
 * @throws PageError for a form of another page, and for one without a file
 */
export async function readUpload(c: Context<ConsoleEnv>): Promise<Upload> {
  const { body } = c.req.raw;
  if (body === null) throw UNREADABLE;
  const source = Readable.fromWeb(body as WebBody);
  const parser = openParser(c.req.header('Content-Type') ?? '');
  const drain = async (): Promise<void> => {
    source.unpipe(parser).resume();
    await finished(source).catch(() => {});
  };
  const { promise, resolve, reject } = Promise.withResolvers<Upload>();
  const fields = new Map<string, string>();
  const { csrf } = c.get('visitor');
  parser.on('field', (name, value, _isNameCut, isCut) => {
    const isOurs = fields.size > 0 || (name === CSRF_FIELD && isSameToken(value, csrf));
    if (!isOurs) return reject(FOREIGN_FORM);
    if (isCut) return reject(TOO_LONG);
    fields.set(name, value);
  });
  parser.on('file', (_name, stream, fileName) => {
    if (fields.size === 0 || !fileName) {
      stream.resume();
      return reject(fields.size === 0 ? FOREIGN_FORM : NO_FILE);
    }
    // If the browser disconnects, the file is cut off: report an error, not its end.
    source.once('error', (error) => stream.destroy(error));
    stream.on('error', () => {});
    const file = Readable.toWeb(stream) as ReadableStream<Uint8Array>;
    resolve({ fields, fileName, file, drain });
  });
  parser.on('finish', () => reject(NO_FILE));
  parser.on('error', () => reject(UNREADABLE));
  source.on('error', () => reject(UNREADABLE));
  source.pipe(parser);
  try {
    return await promise;
  } catch (error) {
    // For a form that is not ours, no more is read than the server itself does.
    if (error === FOREIGN_FORM) source.destroy();
    else await drain();
    throw error;
  }
}

function openParser(contentType: string) {
  try {
    return new Busboy({ headers: { 'content-type': contentType }, limits: LIMITS });
  } catch (cause) {
    if (cause instanceof Error) throw UNREADABLE;
    throw cause;
  }
}

const NO_FILE = new PageError(400, 'No file was chosen', 'Choose one and send the form again.');
const TOO_LONG = new PageError(
  413,
  'A field of the form is too long',
  `At most ${LIMITS.fieldSize} characters are read of each, and nothing was imported.`,
);
const UNREADABLE = new PageError(
  400,
  'The form did not arrive as a whole',
  'Nothing was imported. Load the page again and send the form from there.',
);
