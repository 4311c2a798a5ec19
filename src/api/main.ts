/**
 * The process `api`: the HTTP API on a socket. Only metrics ask Temporal, and no request waits for
 * it.
 */
import { availableParallelism } from 'node:os';

import { requireKeysBeyondLoopback } from '../config/reach.ts';
import { requireSettings } from '../config/settings.ts';
import { openWebhookTester } from '../delivery/webhook-test.ts';
import { createErasure } from '../erasure/erasure.ts';
import { createDeliveryControl } from '../ledger/delivery-control.ts';
import { createDueState } from '../ledger/due-state.ts';
import { createLedgerState } from '../ledger/ledger-state.ts';
import { createOccurrenceReader } from '../ledger/occurrence-reader.ts';
import { createRedelivery } from '../ledger/redelivery.ts';
import { createMetrics, exportTzVersion } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import { createPoolMetrics } from '../observability/pool-metrics.ts';
import { createTracing } from '../observability/create-tracing.ts';
import { shared } from '../observability/readings.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { checkDatabase } from '../persistence/database-health.ts';
import { createDatabaseLoad } from '../persistence/database-load.ts';
import { findInstallationId } from '../persistence/installation.ts';
import { connectOrm } from '../persistence/orm.ts';
import { presentRules, readRules } from '../planning/rules.ts';
import { createReconcileState } from '../reconcile/state.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { createNamespaceGuard } from '../temporal/namespace-guard.ts';
import { createTaskQueueState } from '../temporal/task-queue-state.ts';
import { createOutboxState } from '../users/outbox.ts';
import { createUserStore } from '../users/user-store.ts';
import { loadTzDatabase } from '../platform/load-tz-database.ts';
import { createApp } from './app.ts';
import { startAuditWatch } from '../audit/watch.ts';
import { createRequestMetrics } from './metrics.ts';
import { childChecks, type ChildStates, childStatesOf, databaseChecks } from './readiness.ts';
import { listen } from './server.ts';
import { exportState } from './state-metrics.ts';

await runService('api', startApi);

async function startApi(context: ServiceContext): Promise<RunningService> {
  const { logger, fail } = context;
  const settings = requireKeysBeyondLoopback(requireSettings(context.settings, 'DATABASE_URL'));
  const webhookTester =
    settings.WEBHOOK_URL === undefined
      ? null
      : openWebhookTester(requireSettings(settings, 'WEBHOOK_URL', 'WEBHOOK_SECRETS'), Date.now);
  let children: ChildStates | null = null;
  process.on('message', (message) => {
    children = childStatesOf(message) ?? children;
  });

  const tz = loadTzDatabase(settings.ZONE_DATA);
  logger.info({ tzVersion: tz.version, from: settings.ZONE_DATA }, 'tz database');

  const metrics = createMetrics();
  exportTzVersion(metrics, tz.version);
  const orm = await connectOrm(settings.DATABASE_URL, {
    poolSize: settings.DATABASE_POOL,
    onPool: createPoolMetrics(metrics, settings.DATABASE_POOL),
    onRefused: fail,
  });
  // Refused before it is ready, if the database is there.
  await checkDatabase(orm);
  const deliveries = createDeliveryControl(orm, { lateLimitMs: settings.LATE_LIMIT });
  const tracing = await createTracing('api', settings, logger);
  const temporal = connectTemporal(settings);
  const state = {
    ledger: createLedgerState(orm),
    due: createDueState(orm, { lateAfterMs: settings.LATE_AFTER }),
    deliveries,
    outbox: createOutboxState(orm),
    reconciler: createReconcileState(orm),
    findErasures: () => createErasure(orm).findState(settings.ERASE_AFTER),
    taskQueue: createTaskQueueState(temporal.client, temporal.taskQueue),
    database: {
      ...createDatabaseLoad(orm),
      cores: settings.DATABASE_CORES ?? availableParallelism(),
    },
  };
  exportState(metrics, state, logger);
  const readiness = shared(async () => {
    const database = databaseChecks(await checkDatabase(orm));
    return process.connected ? [...database, ...childChecks(children)] : database;
  });
  const own = {
    metrics,
    readiness: async () => [...(await context.readiness()), ...(await readiness())],
  };
  const metricsServer = await serveMetrics(own, settings, logger);
  const guard = createNamespaceGuard(temporal, () => findInstallationId(orm), fail);
  /** What reads everybody ends early. */
  const stopping = new AbortController();
  const audit = {
    orm,
    tz,
    limits: {
      lateAfterMs: settings.LATE_AFTER,
      lateLimitMs: settings.LATE_LIMIT,
      giveUpAfterMs: settings.GIVE_UP_AFTER,
    },
    clock: Date.now,
    signal: stopping.signal,
  };
  const app = createApp({
    users: createUserStore(orm, tracing?.active),
    occurrences: createOccurrenceReader(orm, { lateAfterMs: settings.LATE_AFTER }),
    redelivery: createRedelivery(orm),
    clock: Date.now,
    tz,
    dateSettings: async () => presentRules(await readRules(orm.em.fork())),
    deliveries,
    audit,
    forecast: {
      orm,
      tz,
      clock: Date.now,
      signal: stopping.signal,
    },
    webhookTester,
    apiKeys: settings.API_KEYS ?? [],
    maxPerSecond: settings.API_MAX_PER_SECOND,
    readiness,
    logger,
    ...(settings.METRICS_PORT === undefined && { metrics }),
    observeRequest: createRequestMetrics(metrics),
    tracing,
  });
  guard.start();
  const auditWatch = startAuditWatch(audit, metrics, logger);
  const server = await listen(app, { host: settings.HOST, port: settings.PORT });
  logger.info({ url: server.url }, 'listening');
  return {
    async stop() {
      await server.stop();
      stopping.abort();
      guard.stop();
      await auditWatch.stop();
      webhookTester?.close();
      await metricsServer.stop();
      await temporal.close();
      await orm.close(true);
      await tracing?.stop();
    },
  };
}
