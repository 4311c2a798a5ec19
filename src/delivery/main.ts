/** The process `dispatcher`: the fire and report stages. As many of them as needed. */
import { requireSettings } from '../config/settings.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { createDeliveryLedger } from '../persistence/delivery-ledger.ts';
import { connectOrm } from '../persistence/orm.ts';
import { createReportQueue } from '../persistence/report-queue.ts';
import { createUserDirectory } from '../persistence/user-directory.ts';
import { createActivityReporter } from '../temporal/activity-reporter.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { createAttempt } from './attempt.ts';
import { createDispatcher } from './dispatcher.ts';
import { createReporter } from './reporter.ts';
import { createWebhookClient } from './webhook-client.ts';

await runService('dispatcher', startDispatcher);

async function startDispatcher(context: ServiceContext): Promise<RunningService> {
  const { logger } = context;
  const settings = requireSettings(context.settings, 'DATABASE_URL', 'WEBHOOK_URL');
  const concurrency = settings.WEBHOOK_CONCURRENCY;
  const timeoutMs = settings.WEBHOOK_TIMEOUT_MS;
  const lateAfterMs = settings.LATE_AFTER;
  const clock = Date.now;

  const orm = await connectOrm(settings.DATABASE_URL, {
    poolSize: settings.DATABASE_POOL,
  });
  const temporal = connectTemporal(settings);
  const ledger = createDeliveryLedger(orm, { lateAfterMs });
  const client = createWebhookClient({
    url: settings.WEBHOOK_URL,
    timeoutMs,
    maxSockets: concurrency,
    userAgent: 'Daybell',
  });
  const dispatcher = createDispatcher({
    ledger,
    directory: createUserDirectory(orm),
    attempt: createAttempt({
      client,
      clock,
      settings: { lateAfterMs, giveUpAfterMs: settings.GIVE_UP_AFTER },
      logger,
    }),
    clock,
    settings: { concurrency, timeoutMs, lateLimitMs: settings.LATE_LIMIT },
    pace: settings.WEBHOOK_MAX_PER_SECOND ?? null,
    logger,
  });
  const reporter = createReporter({
    queue: createReportQueue(orm),
    engine: createActivityReporter(temporal.client),
    clock,
    logger,
    isBusy: dispatcher.isBusy,
  });

  dispatcher.start();
  reporter.start();
  return {
    async stop() {
      await Promise.all([dispatcher.stop(), reporter.stop()]);
      client.close();
      await temporal.close();
      await orm.close(true);
    },
  };
}
