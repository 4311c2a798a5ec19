/** The process `dispatcher`: the fire and report stages. As many of them as needed. */
import { requireSettings } from '../config/settings.ts';
import { eventTypes } from '../event-types/index.ts';
import { createMetrics } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import { createPoolMetrics } from '../observability/pool-metrics.ts';
import { createQueryMetrics } from '../observability/query-metrics.ts';
import { createTracing } from '../observability/create-tracing.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { createCatchUp } from '../persistence/catch-up.ts';
import { checkDatabase } from '../persistence/database-health.ts';
import { createDeliveryLedger } from '../persistence/delivery-ledger.ts';
import { findInstallationId } from '../persistence/installation.ts';
import { connectOrm } from '../persistence/orm.ts';
import { createOccurrenceTraces } from '../persistence/occurrence-traces.ts';
import { createReportQueue } from '../persistence/report-queue.ts';
import { createUserDirectory } from '../persistence/user-directory.ts';
import { createActivityReporter } from '../temporal/activity-reporter.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { createNamespaceGuard, guarded } from '../temporal/namespace-guard.ts';
import { requireAllowedHost } from './allowed-host.ts';
import { createAttempt } from './attempt.ts';
import { countOpenRequests } from './concurrency-metrics.ts';
import { createDestinationClient } from './destination-client.ts';
import { createDispatcher } from './dispatcher.ts';
import { createDeliveryMetrics } from './metrics.ts';
import { createRecoveryMetrics } from './recovery-metrics.ts';
import { createRecovery } from './recovery.ts';
import { createOverdueArming } from './overdue-arming.ts';
import { startRehearsal } from './rehearsal.ts';
import { createReporter } from './reporter.ts';
import { traceDeliveries, traceHeadersOf } from './trace-deliveries.ts';

await runService('dispatcher', startDispatcher);

async function startDispatcher(context: ServiceContext): Promise<RunningService> {
  const { logger, readiness, fail } = context;
  const settings = requireAllowedHost(
    requireSettings(context.settings, 'DATABASE_URL', 'WEBHOOK_URL', 'WEBHOOK_SECRETS'),
  );
  const concurrency = settings.WEBHOOK_CONCURRENCY;
  const timeoutMs = settings.WEBHOOK_TIMEOUT_MS;
  const lateAfterMs = settings.LATE_AFTER;
  const clock = Date.now;
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
  const temporal = connectTemporal(settings);
  const guard = createNamespaceGuard(temporal, () => findInstallationId(orm), fail);
  const ledger = createDeliveryLedger(orm, { lateAfterMs });
  const attempting = {
    clock,
    settings: { lateAfterMs, giveUpAfterMs: settings.GIVE_UP_AFTER },
    messages: eventTypes.messages,
  };
  const client = createDestinationClient(settings, {
    maxSockets: concurrency,
    ...(tracing !== null && { traceHeaders: traceHeadersOf(tracing) }),
  });
  const attempt = createAttempt({ ...attempting, client, logger });
  const deliveries = {
    directory: createUserDirectory(orm, eventTypes.facts),
    attempt: countOpenRequests(metrics, attempt, concurrency),
  };
  const traced = tracing && { tracing, traces: createOccurrenceTraces(orm), logger, clock };
  const timed = createQueryMetrics(metrics, ['claim']);
  const dispatcher = createDispatcher({
    ledger: { ...ledger, claim: (request) => timed('claim', () => ledger.claim(request)) },
    ...(traced === null ? deliveries : traceDeliveries(deliveries, traced)),
    clock,
    settings: { concurrency, timeoutMs, lateLimitMs: settings.LATE_LIMIT },
    pace: settings.WEBHOOK_MAX_PER_SECOND ?? null,
    logger,
    observer: createDeliveryMetrics(metrics, { lateAfterMs }),
  });
  const reporter = createReporter({
    queue: createReportQueue(orm),
    engine: guarded(createActivityReporter(temporal.client), guard),
    clock,
    logger,
    isBusy: dispatcher.isBusy,
  });

  const arming = createOverdueArming({ ledger, logger, metrics });
  const recovery = createRecovery({
    catchUp: createCatchUp(orm, { lateAfterMs }),
    ledger,
    logger,
    observer: createRecoveryMetrics(metrics),
  });

  const rehearsal = startRehearsal({
    createAttempt(url) {
      const own = { ...settings, WEBHOOK_URL: url, WEBHOOK_ALLOW_PRIVATE: true };
      const rehearsed = createDestinationClient(own, { maxSockets: concurrency });
      const silent = logger.child({}, { level: 'silent' });
      return {
        attempt: createAttempt({ ...attempting, client: rehearsed, logger: silent }),
        close: rehearsed.close,
      };
    },
    isBusy: dispatcher.isBusy,
    logger,
  });

  guard.start();
  dispatcher.start();
  reporter.start();
  arming.start();
  recovery.start();
  return {
    async stop() {
      guard.stop();
      await Promise.all([
        rehearsal.stop(),
        arming.stop(),
        dispatcher.stop(),
        reporter.stop(),
        recovery.stop(),
      ]);
      client.close();
      await temporal.close();
      await orm.close(true);
      await metricsServer.stop();
      await tracing?.stop();
    },
  };
}
