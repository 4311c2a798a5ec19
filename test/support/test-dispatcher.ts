/** A dispatcher as the process has it, on connections of its own. */
import { pino } from 'pino';

import { createAttempt } from '../../src/delivery/attempt.ts';
import { createDispatcher, type Dispatcher } from '../../src/delivery/dispatcher.ts';
import { createWebhookClient } from '../../src/delivery/webhook-client.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { connectOrm } from '../../src/persistence/orm.ts';
import { createUserDirectory } from '../../src/persistence/user-directory.ts';

const HOUR = 3_600_000;

export interface TestDispatcher extends Dispatcher {
  /** What was logged, a parsed line each. */
  readonly logged: Record<string, unknown>[];
}

export interface TestDispatcherOptions {
  readonly databaseUrl: string;
  readonly webhookUrl: string;
  readonly concurrency?: number;
  readonly timeoutMs?: number;
  readonly pace?: number;
  readonly clock?: () => number;
}

export async function startDispatcher(options: TestDispatcherOptions): Promise<TestDispatcher> {
  const { concurrency = 16, timeoutMs = 5000, pace = null, clock = Date.now } = options;
  const orm = await connectOrm(options.databaseUrl);
  const logged: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const lateAfterMs = HOUR / 12;
  const client = createWebhookClient({
    url: options.webhookUrl,
    timeoutMs,
    maxSockets: concurrency,
    userAgent: 'Daybell',
  });
  const dispatcher = createDispatcher({
    ledger: createDeliveryLedger(orm, { lateAfterMs }),
    directory: createUserDirectory(orm),
    attempt: createAttempt({
      client,
      clock,
      logger,
      settings: { lateAfterMs, giveUpAfterMs: 72 * HOUR },
    }),
    clock,
    logger,
    pace,
    settings: { concurrency, timeoutMs, lateLimitMs: 48 * HOUR },
  });
  dispatcher.start();
  return {
    ...dispatcher,
    logged,
    async stop() {
      await dispatcher.stop();
      client.close();
      await orm.close(true);
    },
  };
}
