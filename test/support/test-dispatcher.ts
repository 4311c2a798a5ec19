/** A dispatcher as the process has it, on connections of its own. */
import type { LookupFunction } from 'node:net';

import { pino } from 'pino';

import { createAttempt } from '../../src/delivery/attempt.ts';
import { createClockOffset, createDatabaseClock } from '../../src/delivery/clock-offset.ts';
import { createDispatcher, type Dispatcher } from '../../src/delivery/dispatcher.ts';
import type { Messages } from '../../src/delivery/greeting.ts';
import { createClockMetrics, createDeliveryMetrics } from '../../src/delivery/metrics.ts';
import { createPresence } from '../../src/delivery/presence.ts';
import { createFindRecipients } from '../../src/delivery/recipient.ts';
import { createSign } from '../../src/delivery/signing.ts';
import { createWebhookClient } from '../../src/delivery/webhook-client.ts';
import type { ZoneLaw } from '../../src/domain/zone.ts';
import { createLedger } from '../../src/ledger/ledger.ts';
import { createMetrics, type Registry } from '../../src/observability/metrics.ts';
import { connectOrm } from '../../src/persistence/orm.ts';
import { bundledLaw } from './zone-laws.ts';

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
  readonly rateLimit?: number;
  readonly clock?: () => number;
  readonly law?: ZoneLaw;
  /** Birthdays alone, when not given. */
  readonly messages?: Messages;
  /** Signs with these, the newest first; not at all, when not given. */
  readonly secrets?: readonly string[];
  /** Receivers of tests are on loopback: allowed, when not given. */
  readonly allowPrivate?: boolean;
  /** Resolves names; the system's resolver when not given. */
  readonly lookup?: LookupFunction;
}

export async function startDispatcher(options: TestDispatcherOptions): Promise<TestDispatcher> {
  const { concurrency = 16, timeoutMs = 60_000, rateLimit = null, clock = Date.now } = options;
  const orm = await connectOrm(options.databaseUrl);
  const logged: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const lateAfterMs = HOUR / 12;
  const metrics = createMetrics();
  const time = createClockOffset({ clock, logger, observer: createClockMetrics(metrics) });
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
    ledger: createLedger(orm, { lateAfterMs }),
    findRecipients: createFindRecipients(orm, options.law ?? bundledLaw),
    attempt: createAttempt({
      client,
      sentBy: 'dispatcher',
      clock: time.now,
      logger,
      settings: { lateAfterMs, giveUpAfterMs: 72 * HOUR },
      ...(options.messages !== undefined && { messages: options.messages }),
    }),
    presence: createPresence(orm),
    time,
    clock,
    readDatabaseClock: createDatabaseClock(orm),
    logger,
    rateLimit,
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
