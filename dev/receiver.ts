/** The embedded receiver, a minimal version of a real one. Prints each greeting. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { z } from 'zod';

export interface ReceiverOptions {
  /** `whsec_…`: requests must be signed with one of these. */
  readonly secrets: readonly string[];
  /** Called with a line for each greeting, and for each request that is refused. */
  readonly print: (line: string) => void;
  /** Epoch ms now. */
  readonly now: () => number;
}

const testSchema = z.object({ type: z.literal('webhook.test') });
const dueSchema = z.object({
  message: z.string(),
  data: z.object({
    occasion: z.object({
      nominalDate: z.string(),
      observedDate: z.string().nullable(),
      timezone: z.string(),
      dueAt: z.iso.datetime(),
    }),
  }),
});

/** An HTTP server, not yet listening, that takes signed Standard Webhooks and answers 200. */
export function createReceiver({ secrets, print, now }: ReceiverOptions): Server {
  const webhooks = secrets.map((secret) => new Webhook(secret));
  const seen = new Set<string>();

  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const receivedAt = now();
    if (request.method !== 'POST') {
      response.end('This is the embedded receiver of Daybell: it takes greetings by POST.\n');
      return;
    }
    const body = await text(request);
    const id = String(request.headers['webhook-id'] ?? 'a request without an id');
    const fault = verify(webhooks, request, body);
    if (fault !== null) {
      print(withoutControls(`REFUSED ${id}: ${fault}`));
      response.writeHead(401).end(`${fault}\n`);
      return;
    }
    // A repeated message was processed already: the response to the first may have been lost.
    const line = seen.has(id)
      ? `${id} again: already received, ignored`
      : describe(id, body, receivedAt);
    seen.add(id);
    print(withoutControls(line));
    response.end();
  };

  return createServer((request, response) => {
    receive(request, response).catch(() => response.destroy());
  });
}

/** Returns why a request is not Daybell's, or null if one of the secrets proves that it is. */
function verify(
  webhooks: readonly Webhook[],
  { headers }: IncomingMessage,
  body: string,
): string | null {
  let fault = 'no secret to verify it with';
  for (const webhook of webhooks) {
    try {
      webhook.verify(body, headers as Record<string, string>, { jsonParse: false });
      return null;
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      fault = error.message;
    }
  }
  return fault;
}

/** Such as: Hey, Ada Lovelace it's your birthday · Europe/London 2026-12-10 · 41 ms after its instant · … */
function describe(id: string, body: string, receivedAt: number): string {
  const event: unknown = JSON.parse(body);
  if (testSchema.safeParse(event).success) return `A test event, and its signature is good · ${id}`;
  const due = dueSchema.safeParse(event);
  if (!due.success) return `${id} received`;
  const { message, data } = due.data;
  const { timezone, nominalDate, observedDate, dueAt } = data.occasion;
  const lateness = inWords(receivedAt - Date.parse(dueAt));
  return `${message} · ${timezone} ${observedDate ?? nominalDate} · ${lateness} · ${id}`;
}

function inWords(latenessMs: number): string {
  if (latenessMs < 0) return `${-latenessMs} ms EARLY`;
  if (latenessMs < 60_000) return `${latenessMs} ms after its instant`;
  return `${Math.round(latenessMs / 1000)} s after its instant (late)`;
}

/** Text that is printed on a terminal must not control it. */
function withoutControls(line: string): string {
  return line.replaceAll(/\p{Cc}/gu, '\uFFFD');
}
