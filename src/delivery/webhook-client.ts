import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';

import got, { RequestError } from 'got';

import { createDestinationAgents } from './destination-guard.ts';
import { excerptOf, MAX_EXCERPT_BYTES } from './response-excerpt.ts';
import type { Sign } from './signing.ts';

export interface WebhookClientOptions {
  readonly url: string;
  /** For the whole exchange, from the connection to the end of the answer. */
  readonly timeoutMs: number;
  readonly maxSockets: number;
  readonly userAgent: string;
  /** Headers that prove who sent the body (Standard Webhooks). */
  readonly sign?: Sign;
  /** Headers of the trace that a request is part of; not given when traces are off. */
  readonly traceHeaders?: () => Readonly<Record<string, string>>;
  /** Whether the destination may have an address that is not of the public internet. */
  readonly allowPrivate: boolean;
  /** Resolves names; the system's resolver when not given. */
  readonly lookup?: LookupFunction;
}

export interface WebhookRequest {
  /** The same on every attempt: receivers deduplicate by it. */
  readonly id: string;
  /** Epoch ms of this attempt. */
  readonly sentAt: number;
  readonly attempt: number;
  readonly latenessMs: number;
  readonly body: string;
}

/** What came of one request. With an HTTP status, that alone judges it, whatever the body did. */
export interface WebhookReply {
  readonly status: number | null;
  /** Why there is no status. */
  readonly errorCode: string | null;
  readonly retryAfter: string | null;
  readonly responseExcerpt: string | null;
  readonly durationMs: number;
}

export interface WebhookClient {
  /** Never rejects. */
  post(request: WebhookRequest): Promise<WebhookReply>;
  /** Closes idle connections. */
  close(): void;
}

/**
 * A receiver's answer is only looked at. One that ends within this much leaves its connection
 * for the next request; of a longer one the connection is closed.
 */
const MAX_BODY_BYTES = 64 * 1024;

/** Posts to the one destination by got: no redirects, no retries of got's own, connections kept open. */
export function createWebhookClient(options: WebhookClientOptions): WebhookClient {
  const { url, timeoutMs, maxSockets, userAgent, sign, traceHeaders } = options;
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
    // An answer is not worth unpacking, and cannot become larger than it is.
    decompress: false,
  });

  const headersOf = ({ id, sentAt, attempt, latenessMs, body }: WebhookRequest) => {
    const timestamp = Math.floor(sentAt / 1000);
    return {
      'content-type': 'application/json',
      'user-agent': userAgent,
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
        const settle = (errorCode: string | null): void => {
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
        // Another protocol was not asked for; nothing else closes its connection.
        stream.on('upgrade', (response: { statusCode: number }, socket: Duplex) => {
          status = response.statusCode;
          socket.destroy();
          stream.destroy();
          settle(null);
        });
        stream.on('data', (chunk: Uint8Array) => {
          if (bytes < MAX_EXCERPT_BYTES) chunks.push(chunk);
          bytes += chunk.byteLength;
          if (bytes <= MAX_BODY_BYTES) return;
          stream.destroy();
          settle(null);
        });
        stream.once('end', () => settle(null));
        stream.on('error', (error) => settle(status === null ? codeOf(error) : null));
      }),

    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

type Headers = Readonly<Record<string, string | undefined>>;

/** Of an error only the code leaves this module: got's errors hold the request with its headers. */
function codeOf(error: unknown): string {
  return error instanceof RequestError && typeof error.code === 'string'
    ? error.code
    : 'ERR_UNKNOWN';
}
