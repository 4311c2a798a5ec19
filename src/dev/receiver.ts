/** The embedded receiver: what a receiver of one's own would do, in small. Prints each greeting. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { z } from 'zod';

export interface ReceiverOptions {
  /** Called with one line a greeting. */
  readonly print: (line: string) => void;
  /** Epoch ms now. */
  readonly now: () => number;
}

/** A greeting has about 400 bytes; the names in it may be long. */
const MAX_BODY_BYTES = 64 * 1024;
/** Ids remembered; 100,000 users due at one instant fit, at some 20 MB. */
const MAX_REMEMBERED = 200_000;

const greetingSchema = z.object({
  message: z.string(),
  data: z.object({ timezone: z.string(), localDate: z.string(), scheduledFor: z.iso.datetime() }),
});

/** An HTTP server, not yet listening, that takes Standard Webhooks and answers 200. */
export function createReceiver({ print, now }: ReceiverOptions): Server {
  const seen = new Set<string>();

  /** Whether this id is new; the oldest is forgotten when there are too many. */
  const remember = (id: string): boolean => {
    if (seen.has(id)) return false;
    const [oldest] = seen;
    if (seen.size >= MAX_REMEMBERED && oldest !== undefined) seen.delete(oldest);
    seen.add(id);
    return true;
  };

  return createServer((request, response) => {
    const receivedAt = now();
    if (request.method !== 'POST') {
      answer(
        response,
        200,
        'This is the embedded receiver of Daybell: it takes greetings by POST.',
      );
      return;
    }
    const id = request.headers['webhook-id'];
    if (typeof id !== 'string' || id === '') {
      answer(response, 400, 'webhook-id is missing.');
      return;
    }
    readBody(request, (body) => {
      if (body === null) {
        answer(response, 413, `More than ${MAX_BODY_BYTES} bytes.`);
        return;
      }
      // A receiver must take a repeated message for done: its answer to the first may have been lost.
      print(
        remember(id) ? describe(id, body, receivedAt) : `${id} again: already received, ignored`,
      );
      answer(response, 200, '');
    });
  });
}

/** Such as: Hey, Ada Lovelace it's your birthday · Europe/London 2026-12-10 · 41 ms after the instant */
function describe(id: string, body: string, receivedAt: number): string {
  const greeting = greetingSchema.safeParse(parseJson(body));
  if (!greeting.success) return `${id} received`;
  const { message, data } = greeting.data;
  const latenessMs = receivedAt - Date.parse(data.scheduledFor);
  return withoutControls(
    `${message} · ${data.timezone} ${data.localDate} · ${inWords(latenessMs)} · ${id}`,
  );
}

function inWords(latenessMs: number): string {
  if (latenessMs < 0) return `${-latenessMs} ms EARLY`;
  if (latenessMs < 60_000) return `${latenessMs} ms after its instant`;
  return `${Math.round(latenessMs / 1000)} s after its instant (late)`;
}

/** What is printed on a terminal must not steer it. */
function withoutControls(line: string): string {
  return line.replaceAll(/\p{Cc}/gu, '\uFFFD');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function readBody(request: IncomingMessage, done: (body: string | null) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  });
  request.on('end', () =>
    done(size > MAX_BODY_BYTES ? null : Buffer.concat(chunks).toString('utf8')),
  );
  // The sender went away: there is nobody to answer.
  request.on('error', () => {});
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(text === '' ? '' : `${text}\n`);
}
