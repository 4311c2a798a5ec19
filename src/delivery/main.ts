/** The process `dispatcher`: sends what is due. It needs PostgreSQL and the receiver. As many as needed. */
import { requireSettings } from '../config/settings.ts';
import { createBacklog } from '../ledger/backlog.ts';
import { createLedger } from '../ledger/ledger.ts';
import { createOccurrenceTraces } from '../ledger/occurrence-traces.ts';
import { createTracing } from '../observability/create-tracing.ts';
import { createMetrics } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import { createPoolMetrics } from '../observability/pool-metrics.ts';
import { createQueryMetrics } from '../observability/query-metrics.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { checkDatabase } from '../persistence/database-health.ts';
import { connectOrm } from '../persistence/orm.ts';
import { loadZoneLaw } from '../zones/load-zone-law.ts';
import { requireAllowedHost } from './allowed-host.ts';
import { createAttempt } from './attempt.ts';
import { createBacklogMetrics } from './backlog-metrics.ts';
import { createBacklogWatch } from './backlog.ts';
import { createClockOffset, createDatabaseClock } from './clock-offset.ts';
import { countOpenRequests } from './concurrency-metrics.ts';
import { createDestinationClient } from './destination-client.ts';
import { createDispatcher } from './dispatcher.ts';
import { createClockMetrics, createDeliveryMetrics } from './metrics.ts';
import { createPresence } from './presence.ts';
import { createFindRecipients } from './recipient.ts';
import { traceDeliveries, traceHeadersOf } from './trace-deliveries.ts';
import { startWarmUp } from './warm-up.ts';

await runService('dispatcher', startDispatcher);

async function startDispatcher(context: ServiceContext): Promise<RunningService> {
  const { logger, readiness, fail } = context;
  const settings = requireAllowedHost(
    requireSettings(context.settings, 'DATABASE_URL', 'WEBHOOK_URL', 'WEBHOOK_SECRETS'),
  );
  const concurrency = settings.WEBHOOK_CONCURRENCY;
  const lateAfterMs = settings.LATE_AFTER;
  const clock = Date.now;
  const law = loadZoneLaw(settings.ZONE_DATA);
  const tracing = await createTracing('dispatcher', settings, logger);
  const metrics = createMetrics();
  const metricsServer = await serveMetrics({ metrics, readiness }, settings, logger);

  const orm = await connectOrm(settings.DATABASE_URL, {
    poolSize: settings.DATABASE_POOL,
    onPool: createPoolMetrics(metrics, settings.DATABASE_POOL),
    onRefused: fail,
  });
  // Refused before it is ready, if the database is there.
  await checkDatabase(orm);
  const ledger = createLedger(orm, { lateAfterMs });
  const time = createClockOffset({ clock, logger, observer: createClockMetrics(metrics) });
  const attempting = {
    sentBy: 'dispatcher',
    clock: time.now,
    settings: { lateAfterMs, giveUpAfterMs: settings.GIVE_UP_AFTER },
  } as const;
  const client = createDestinationClient(settings, {
    maxSockets: concurrency,
    ...(tracing !== null && { traceHeaders: traceHeadersOf(tracing) }),
  });
  const attempt = createAttempt({ ...attempting, client, logger });
  const deliveries = {
    findRecipients: createFindRecipients(orm, law),
    attempt: countOpenRequests(metrics, attempt, concurrency),
  };
  const traced = tracing && { tracing, traces: createOccurrenceTraces(orm), logger, clock };
  const timed = createQueryMetrics(metrics, ['claim']);
  const dispatcher = createDispatcher({
    ledger: { ...ledger, claim: (request) => timed('claim', () => ledger.claim(request)) },
    ...(traced === null ? deliveries : traceDeliveries(deliveries, traced)),
    presence: createPresence(orm),
    time,
    clock,
    readDatabaseClock: createDatabaseClock(orm),
    settings: {
      concurrency,
      timeoutMs: settings.WEBHOOK_TIMEOUT_MS,
      lateLimitMs: settings.LATE_LIMIT,
    },
    rateLimit: settings.WEBHOOK_MAX_PER_SECOND ?? null,
    logger,
    observer: createDeliveryMetrics(metrics, { lateAfterMs }),
  });
  const backlog = createBacklogWatch({
    backlog: createBacklog(orm, { lateAfterMs }),
    logger,
    observer: createBacklogMetrics(metrics),
  });
  const warmUp = startWarmUp({
    createAttempt(url) {
      const own = { ...settings, WEBHOOK_URL: url, WEBHOOK_ALLOW_PRIVATE: true };
      const client = createDestinationClient(own, { maxSockets: concurrency });
      const silent = logger.child({}, { level: 'silent' });
      return {
        attempt: createAttempt({ ...attempting, client, logger: silent }),
        close: client.close,
      };
    },
    isBusy: dispatcher.isBusy,
    logger,
  });

  dispatcher.start();
  backlog.start();
  return {
    async stop() {
      await Promise.all([warmUp.stop(), dispatcher.stop(), backlog.stop()]);
      client.close();
      await orm.close(true);
      await metricsServer.stop();
      await tracing?.stop();
    },
  };
}
