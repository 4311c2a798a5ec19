/** A dispatcher as in the process, on its own connections. */
import type { LookupFunction } from 'node:net';

import { pino } from 'pino';

import { createDispatcher, type Dispatcher } from '../../src/delivery/dispatcher/dispatcher.ts';
import { createPresence } from '../../src/delivery/dispatcher/presence.ts';
import { createSending } from '../../src/delivery/sending.ts';
import { createSign } from '../../src/delivery/wire/signing.ts';
import type { TzDatabase } from '../../src/time/tz-database.ts';
import { createMetrics, type Registry } from '../../src/platform/metrics.ts';
import { connectOrm } from '../../src/platform/database/orm.ts';
import { bundledTz } from './tz-databases.ts';
import { CLIENTS, type ClientName } from './webhook-clients.ts';

const HOUR = 3_600_000;

export interface TestDispatcher extends Dispatcher {
  /** The log, a parsed line each. */
  readonly logged: Record<string, unknown>[];
  readonly metrics: Registry;
}

export interface TestDispatcherOptions {
  readonly databaseUrl: string;
  readonly webhookUrl: string;
  /** A dispatcher's own, node:http's, by default. */
  readonly client?: ClientName;
  readonly concurrency?: number;
  /** The timeout of a webhook; by default longer than a busy machine needs for one. */
  readonly timeoutMs?: number;
  readonly rateLimit?: number;
  readonly clock?: () => number;
  readonly tz?: TzDatabase;
  /** Signs with these, the newest first; not at all by default. */
  readonly secrets?: readonly string[];
  /** Receivers of tests are on loopback: allowed by default. */
  readonly allowPrivate?: boolean;
  /** Resolves names; the system's resolver by default. */
  readonly lookup?: LookupFunction;
}

export async function startDispatcher(options: TestDispatcherOptions): Promise<TestDispatcher> {
  const { concurrency = 16, timeoutMs = 60_000, rateLimit = null, clock = Date.now } = options;
  const orm = await connectOrm(options.databaseUrl);
  const logged: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const metrics = createMetrics();
  const { create } = CLIENTS.find(({ name }) => name === options.client) ?? CLIENTS[0];
  const client = create({
    url: options.webhookUrl,
    timeoutMs,
    maxSockets: concurrency,
    allowPrivate: options.allowPrivate ?? true,
    ...(options.secrets !== undefined && { sign: createSign(options.secrets) }),
    ...(options.lookup !== undefined && { lookup: options.lookup }),
  });
  const dispatcher = createDispatcher({
    ...createSending({
      orm,
      tz: options.tz ?? bundledTz,
      client,
      sentBy: 'dispatcher',
      clock,
      settings: {
        timeoutMs,
        lateLimitMs: 48 * HOUR,
        lateAfterMs: HOUR / 12,
        giveUpAfterMs: 72 * HOUR,
      },
      outcomeWaitMs: 50,
      registry: metrics,
      tracing: null,
      logger,
    }),
    presence: createPresence(orm),
    concurrency,
    rateLimit,
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
