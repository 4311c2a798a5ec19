import type { Settings } from '../../platform/settings/settings.ts';
import { createDestinationAgents, type DestinationPolicy } from './destination-guard.ts';
import { exchange, type Answer, type Begin, type Connection } from './exchange.ts';
import { createSign, type Sign } from './signing.ts';

export interface WebhookClientOptions extends DestinationPolicy {
  readonly url: string;
  /** For the whole exchange, from connecting to the end of the answer. */
  readonly timeoutMs: number;
  readonly maxSockets: number;
  readonly sign?: Sign;
  /** Returns the headers of the trace that the request belongs to. */
  readonly traceHeaders?: () => Readonly<Record<string, string>>;
  /**
   * Called when a request is sent again, because the connection that was kept for it had been
   * closed.
   */
  readonly onReconnect?: () => void;
  /** Called when a response has begun on this connection. */
  readonly onConnection?: (connection: Connection) => void;
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

/** The result of one request. */
export interface WebhookReply extends Answer {
  readonly durationMs: number;
}

/** Posts without following redirects. */
export interface WebhookClient {
  /** Never rejects. */
  post(request: WebhookRequest): Promise<WebhookReply>;
  /** Closes idle connections. */
  close(): void;
}

/** node:http for many webhooks at once, got for an occasional one. */
export type CreateWebhookClient = (options: WebhookClientOptions) => WebhookClient;

export type DestinationSettings = Pick<Settings, 'WEBHOOK_TIMEOUT_MS' | 'WEBHOOK_ALLOW_PRIVATE'> & {
  readonly WEBHOOK_URL: string;
  readonly WEBHOOK_SECRETS: readonly string[];
};

/** Creates the client of a destination: the same limits, guard and signatures in every process. */
export function createDestinationClient(
  create: CreateWebhookClient,
  settings: DestinationSettings,
  options: Pick<WebhookClientOptions, 'maxSockets'> &
    Partial<Pick<WebhookClientOptions, 'traceHeaders' | 'onReconnect' | 'onConnection' | 'sign'>>,
): WebhookClient {
  return create({
    url: settings.WEBHOOK_URL,
    timeoutMs: settings.WEBHOOK_TIMEOUT_MS,
    allowPrivate: settings.WEBHOOK_ALLOW_PRIVATE,
    sign: createSign(settings.WEBHOOK_SECRETS),
    ...options,
  });
}

/** One request, as a client passes it to its library. */
export interface Call {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly agents: ReturnType<typeof createDestinationAgents>;
}

/**
 * For this long, connections to a receiver that sends more than it announces serve one request
 * each.
 */
const OUT_OF_STEP_MS = 3_600_000;

/** Everything about a client except how it begins a request. */
export function createWebhookClient(
  options: WebhookClientOptions,
  begin: (call: Call, ...follow: Parameters<Begin>) => void,
): WebhookClient {
  const { timeoutMs, maxSockets, sign, traceHeaders, onReconnect, onConnection } = options;
  const kept = createDestinationAgents(
    { keepAlive: true, maxSockets, maxFreeSockets: maxSockets },
    options,
  );
  const fresh = createDestinationAgents({}, options);
  let keepsFrom = -Infinity;

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
    async post(request) {
      const startedAt = performance.now();
      const headers = headersOf(request);
      const send = (agents: Call['agents'], withinMs: number) =>
        exchange(
          (...follow) => begin({ headers, body: request.body, agents }, ...follow),
          withinMs,
          onConnection,
        );

      let answer = await send(startedAt < keepsFrom ? fresh : kept, timeoutMs);
      if (answer.isStale) {
        onReconnect?.();
        // Harmless if the receiver has it after all (RFC 9110, 9.2.2): the webhook-id is the same.
        answer = await send(fresh, startedAt + timeoutMs - performance.now());
      }
      if (answer.isOutOfStep) keepsFrom = startedAt + OUT_OF_STEP_MS;
      const { status, errorCode, retryAfter, responseExcerpt } = answer;
      const durationMs = Math.round(performance.now() - startedAt);
      return { status, errorCode, retryAfter, responseExcerpt, durationMs };
    },

    close() {
      for (const agent of [kept.http, kept.https, fresh.http, fresh.https]) agent.destroy();
    },
  };
}
