import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';

import got, { RequestError } from 'got';

export interface WebhookClientOptions {
  readonly url: string;
  /** For the whole exchange, from the connection to the end of the answer. */
  readonly timeoutMs: number;
  readonly maxSockets: number;
  readonly userAgent: string;
  /** Headers that prove who sent the body (Standard Webhooks). */
  readonly sign?: (id: string, timestamp: number, body: string) => Record<string, string>;
  /** Resolves the destination; one that refuses an address keeps the socket from being opened. */
  readonly dnsLookup?: LookupFunction;
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

/** A receiver's answer is only looked at: no more of it is read, and less is kept. */
const MAX_BODY_BYTES = 64 * 1024;
const MAX_EXCERPT_BYTES = 1024;

/** Posts to the one destination by got: no redirects, no retries of got's own, connections kept open. */
export function createWebhookClient(options: WebhookClientOptions): WebhookClient {
  const { url, timeoutMs, maxSockets, userAgent, sign, dnsLookup } = options;
  const agentOptions = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets };
  const agents = { http: new HttpAgent(agentOptions), https: new HttpsAgent(agentOptions) };
  const client = got.extend({
    method: 'POST',
    agent: agents,
    followRedirect: false,
    throwHttpErrors: false,
    retry: { limit: 0 },
    timeout: { request: timeoutMs },
    // An answer is not worth unpacking, and cannot become larger than it is.
    decompress: false,
    ...(dnsLookup !== undefined && { dnsLookup }),
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
            responseExcerpt: status === null ? null : excerpt(Buffer.concat(chunks)),
            durationMs: Math.round(performance.now() - startedAt),
          });
        };

        stream.on('response', (response: { statusCode: number; headers: Headers }) => {
          status = response.statusCode;
          retryAfter = response.headers['retry-after'] ?? null;
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
  return error instanceof RequestError ? error.code : 'ERR_UNKNOWN';
}

/** The beginning of an answer, as text without control characters. */
function excerpt(body: Buffer): string | null {
  const text = new TextDecoder().decode(body.subarray(0, MAX_EXCERPT_BYTES));
  const clean = text.replaceAll(/\p{Cc}+/gu, ' ').trim();
  return clean === '' ? null : clean;
}
