import type { Duplex } from 'node:stream';

import got, { RequestError } from 'got';

import type { Settings } from '../../platform/settings/settings.ts';
import { createDestinationAgents, type DestinationPolicy } from './destination-guard.ts';
import { excerptOf, MAX_EXCERPT_BYTES } from './response-excerpt.ts';
import { createSign, type Sign } from './signing.ts';

export interface WebhookClientOptions extends DestinationPolicy {
  readonly url: string;
  /** For the whole exchange, from connecting to the end of the answer. */
  readonly timeoutMs: number;
  readonly maxSockets: number;
  readonly sign?: Sign;
  /** Returns the headers of the trace that the request belongs to. */
  readonly traceHeaders?: () => Readonly<Record<string, string>>;
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

/** The result of one request. An HTTP status alone decides, even if the body then failed. */
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

export type DestinationSettings = Pick<Settings, 'WEBHOOK_TIMEOUT_MS' | 'WEBHOOK_ALLOW_PRIVATE'> & {
  readonly WEBHOOK_URL: string;
  readonly WEBHOOK_SECRETS: readonly string[];
};

/** The client of the one destination: the same limits, guard and signatures in every process. */
export function createDestinationClient(
  settings: DestinationSettings,
  options: Pick<WebhookClientOptions, 'maxSockets' | 'traceHeaders'>,
): WebhookClient {
  return createWebhookClient({
    url: settings.WEBHOOK_URL,
    timeoutMs: settings.WEBHOOK_TIMEOUT_MS,
    allowPrivate: settings.WEBHOOK_ALLOW_PRIVATE,
    sign: createSign(settings.WEBHOOK_SECRETS),
    ...options,
  });
}

/** Of a longer answer the connection is closed; after a shorter one it serves the next request. */
const MAX_BODY_BYTES = 64 * 1024;

/** Posts by got, without redirects and without got's own retries. */
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
    // An answer that is not unpacked cannot become larger than it is.
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
        // Nobody asked for another protocol, and nothing else closes the connection.
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

/** Only the code of an error leaves this module: got's errors hold the request with its headers. */
function codeOf(error: unknown): string {
  return error instanceof RequestError && typeof error.code === 'string'
    ? error.code
    : 'ERR_UNKNOWN';
}
