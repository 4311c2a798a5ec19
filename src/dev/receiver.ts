/** The embedded receiver: what a receiver of one's own would do, in small. Prints each greeting. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { z } from 'zod';

export interface ReceiverOptions {
  /** `whsec_…`: what comes has to be signed with one of these. */
  readonly secrets: readonly string[];
  /** Called with one line a greeting, and with one for what is refused. */
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
  data: z.object({ timezone: z.string(), localDate: z.string(), dueAt: z.iso.datetime() }),
});

const testSchema = z.object({ type: z.literal('webhook.test') });

/** An HTTP server, not yet listening, that takes signed Standard Webhooks and answers 200. */
export function createReceiver({ secrets, print, now }: ReceiverOptions): Server {
  const webhooks = secrets.map((secret) => new Webhook(secret));
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
    readBody(request, (body) => {
      if (body === null) {
        answer(response, 413, `More than ${MAX_BODY_BYTES} bytes.`);
        return;
      }
      const id = String(request.headers['webhook-id'] ?? 'a request without an id');
      const fault = verify(webhooks, request, body);
      if (fault !== null) {
        print(withoutControls(`REFUSED ${id}: ${fault}`));
        answer(response, 401, fault);
        return;
      }
      // A receiver must take a repeated message for done: its answer to the first may have been lost.
      print(
        withoutControls(
          remember(id) ? describe(id, body, receivedAt) : `${id} again: already received, ignored`,
        ),
      );
      answer(response, 200, '');
    });
  });
}

/** Why a request is not taken for Daybell's; null when one of the secrets proves it. */
function verify(
  webhooks: readonly Webhook[],
  request: IncomingMessage,
  body: string,
): string | null {
  const headers = request.headers as Record<string, string>;
  let fault = 'no secret to verify it with';
  for (const webhook of webhooks) {
    try {
      webhook.verify(body, headers, { jsonParse: false });
      return null;
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      fault = error.message;
    }
  }
  return fault;
}

/** Such as: Hey, Ada Lovelace it's your birthday · Europe/London 2026-12-10 · 41 ms after the instant */
function describe(id: string, body: string, receivedAt: number): string {
  const event = parseJson(body);
  if (testSchema.safeParse(event).success) return `A test event, and its signature is good · ${id}`;
  const greeting = greetingSchema.safeParse(event);
  if (!greeting.success) return `${id} received`;
  const { message, data } = greeting.data;
  const latenessMs = receivedAt - Date.parse(data.dueAt);
  return `${message} · ${data.timezone} ${data.localDate} · ${inWords(latenessMs)} · ${id}`;
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
