/** A real HTTP receiver that stores what it receives, and answers as the test says. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedWebhook {
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  /** As received: the bytes that a signature covers. */
  readonly rawBody: string;
  // The shape is what a test is about.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
  /** Epoch ms. */
  readonly at: number;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly received: ReceivedWebhook[];
  /**
   * Answers like this from now on; initially with 200. The response may be kept and ended later.
   */
  answer(how: (response: ServerResponse, request: ReceivedWebhook) => void): void;
  close(): Promise<void>;
}

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = [];
  let respond = (response: ServerResponse, _request: ReceivedWebhook): void => void response.end();

  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    const at = Date.now();
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    request.on('end', () => {
      const { headers } = request;
      const rawBody = Buffer.concat(chunks).toString();
      const body: unknown = JSON.parse(rawBody || 'null');
      const webhook = { id: String(headers['webhook-id']), headers, rawBody, body, at };
      received.push(webhook);
      respond(response, webhook);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}/greetings`,
    received,
    answer(how) {
      respond = how;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Answers with a status and nothing else. */
export function withStatus(status: number, headers: Record<string, string> = {}) {
  return (response: ServerResponse): void => {
    response.writeHead(status, headers).end();
  };
}
