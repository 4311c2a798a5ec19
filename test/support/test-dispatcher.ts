/** A dispatcher as the process has it, on connections of its own. */
import type { LookupFunction } from 'node:net';

import { pino } from 'pino';

import { createAttempt } from '../../src/delivery/attempt.ts';
import { createDispatcher, type Dispatcher } from '../../src/delivery/dispatcher.ts';
import { createDeliveryMetrics } from '../../src/delivery/metrics.ts';
import { createSign } from '../../src/delivery/signing.ts';
import { createWebhookClient } from '../../src/delivery/webhook-client.ts';
import { eventTypes as ownEventTypes } from '../../src/event-types/index.ts';
import type { EventTypes } from '../../src/event-types/registry.ts';
import { createMetrics, type Registry } from '../../src/observability/metrics.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { connectOrm } from '../../src/persistence/orm.ts';
import { createUserDirectory } from '../../src/persistence/user-directory.ts';

const HOUR = 3_600_000;

export interface TestDispatcher extends Dispatcher {
  /** What was logged, a parsed line each. */
  readonly logged: Record<string, unknown>[];
  readonly metrics: Registry;
}

export interface TestDispatcherOptions {
  readonly databaseUrl: string;
  readonly webhookUrl: string;
  readonly concurrency?: number;
  /** Of a webhook; longer than a busy machine needs for one, when not given. */
  readonly timeoutMs?: number;
  readonly pace?: number;
  readonly clock?: () => number;
  /** Birthdays alone, when not given. */
  readonly eventTypes?: EventTypes;
  /** Signs with these, the newest first; not at all, when not given. */
  readonly secrets?: readonly string[];
  /** Receivers of tests are on loopback: allowed, when not given. */
  readonly allowPrivate?: boolean;
  /** Resolves names; the system's resolver when not given. */
  readonly lookup?: LookupFunction;
}

export async function startDispatcher(options: TestDispatcherOptions): Promise<TestDispatcher> {
  const { concurrency = 16, timeoutMs = 60_000, pace = null, clock = Date.now } = options;
  const { eventTypes = ownEventTypes } = options;
  const orm = await connectOrm(options.databaseUrl);
  const logged: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const lateAfterMs = HOUR / 12;
  const metrics = createMetrics();
  const client = createWebhookClient({
    url: options.webhookUrl,
    timeoutMs,
    maxSockets: concurrency,
    userAgent: 'Daybell',
    allowPrivate: options.allowPrivate ?? true,
    ...(options.secrets !== undefined && { sign: createSign(options.secrets) }),
    ...(options.lookup !== undefined && { lookup: options.lookup }),
  });
  const dispatcher = createDispatcher({
    ledger: createDeliveryLedger(orm, { lateAfterMs }),
    directory: createUserDirectory(orm, eventTypes.facts),
    attempt: createAttempt({
      client,
      clock,
      logger,
      messages: eventTypes.messages,
      settings: { lateAfterMs, giveUpAfterMs: 72 * HOUR },
    }),
    clock,
    logger,
    pace,
    observer: createDeliveryMetrics(metrics, { lateAfterMs }),
    settings: { concurrency, timeoutMs, lateLimitMs: 48 * HOUR },
  });
  dispatcher.start();
  return {
    ...dispatcher,
    logged,
    metrics,
    async stop() {
      await dispatcher.stop();
      client.close();
      await orm.close(true);
    },
  };
}
