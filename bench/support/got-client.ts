/**
 * The got floor: how Daybell's dispatchers posted on 2026-11-30, including got and signing. It
 * stays unchanged, so that floors of different versions can be compared.
 */
import type { Duplex } from 'node:stream';

import got, { RequestError } from 'got';

import { createDestinationAgents } from '../../src/delivery/wire/destination-guard.ts';
import { excerptOf, MAX_EXCERPT_BYTES } from '../../src/delivery/wire/response-excerpt.ts';
import type {
  WebhookClient,
  WebhookClientOptions,
  WebhookRequest,
} from '../../src/delivery/wire/webhook-client.ts';

/** After a longer response the connection is closed; after a shorter one it is reused. */
const MAX_BODY_BYTES = 64 * 1024;

/** Posts with got, without redirects and without got's own retries. */
export function createWebhookClient(options: WebhookClientOptions): WebhookClient {
  const { url, timeoutMs, maxSockets, sign, traceHeaders } = options;
  const agents = createDestinationAgents(
    { keepAlive: true, maxSockets, maxFreeSockets: maxSockets },
    options,
  );
  const client = got.extend({
    method: 'POST',
    agent: agents,
    followRedirect: false,
    throwHttpErrors: false,
    retry: { limit: 0 },
    timeout: { request: timeoutMs },
    // A response that is not decompressed cannot grow.
    decompress: false,
  });

  const headersOf = ({ id, sentAt, attempt, latenessMs, body }: WebhookRequest) => {
    const timestamp = Math.floor(sentAt / 1000);
    return {
      'content-type': 'application/json',
      'user-agent': 'Daybell',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'idempotency-key': id,
      'daybell-attempt': String(attempt),
      'daybell-lateness-ms': String(latenessMs),
      ...sign?.(id, timestamp, body),
      ...traceHeaders?.(),
    };
  };

  return {
    post: (request) =>
      new Promise((resolve) => {
        const startedAt = performance.now();
        const chunks: Uint8Array[] = [];
        let bytes = 0;
        let status: number | null = null;
        let retryAfter: string | null = null;

        const stream = client.stream(url, { headers: headersOf(request), body: request.body });
        const finish = (errorCode: string | null): void => {
          resolve({
            status,
            errorCode,
            retryAfter,
            responseExcerpt: status === null ? null : excerptOf(Buffer.concat(chunks)),
            durationMs: Math.round(performance.now() - startedAt),
          });
        };

        stream.on('response', (response: { statusCode: number; headers: Headers }) => {
          status = response.statusCode;
          retryAfter = response.headers['retry-after'] ?? null;
        });
        // We asked for no other protocol, and nothing else closes the connection.
        stream.on('upgrade', (response: { statusCode: number }, socket: Duplex) => {
          status = response.statusCode;
          socket.destroy();
          stream.destroy();
          finish(null);
        });
        stream.on('data', (chunk: Uint8Array) => {
          if (bytes < MAX_EXCERPT_BYTES) chunks.push(chunk);
          bytes += chunk.byteLength;
          if (bytes <= MAX_BODY_BYTES) return;
          stream.destroy();
          finish(null);
        });
        stream.once('end', () => finish(null));
        stream.on('error', (error) => finish(status === null ? codeOf(error) : null));
      }),

    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

type Headers = Readonly<Record<string, string | undefined>>;

/**
 * Only the code of an error leaves this module: got's errors contain the request with its headers.
 */
function codeOf(error: unknown): string {
  return error instanceof RequestError && typeof error.code === 'string'
    ? error.code
    : 'ERR_UNKNOWN';
}
