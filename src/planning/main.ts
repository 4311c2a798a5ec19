/**
 * The process `scheduler`: plans what has changed and what comes after what is settled, and
 * notifies Temporal of it. As many of them as needed; without Temporal, planning goes on.
 */
import { requireSettings } from '../config/settings.ts';
import { createOccurrenceTraces } from '../ledger/occurrence-traces.ts';
import { createRedelivered } from '../ledger/redelivered.ts';
import { createTracing } from '../observability/create-tracing.ts';
import { createMetrics, exportTzVersion } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import { createPoolMetrics } from '../observability/pool-metrics.ts';
import { createQueryMetrics } from '../observability/query-metrics.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { checkDatabase } from '../persistence/database-health.ts';
import { findInstallationId } from '../persistence/installation.ts';
import { connectOrm } from '../persistence/orm.ts';
import { createLedgerReconciler, LEDGER_KINDS } from '../reconcile/ledger.ts';
import { createReconcileMetrics } from '../reconcile/metrics.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { createNamespaceGuard, guarded } from '../temporal/namespace-guard.ts';
import { createOccasionWorkflows } from '../temporal/occasion-workflows.ts';
import { createOutbox } from '../users/outbox.ts';
import { loadTzDatabase } from '../platform/load-tz-database.ts';
import { createFollowUp } from './follow-up.ts';
import { createNotifierMetrics, createOutboxMetrics, createPlanMetrics } from './metrics.ts';
import { createNotifier } from './notifier.ts';
import { createNotifyStore } from './notify-store.ts';
import { createOutboxConsumer } from './outbox-consumer.ts';
import { createPlanner } from './planner.ts';
import { createReplanner } from './replanner.ts';
import { tracePlans } from './trace-plans.ts';

await runService('scheduler', startScheduler);

async function startScheduler(context: ServiceContext): Promise<RunningService> {
  const { logger, readiness, fail } = context;
  const settings = requireSettings(context.settings, 'DATABASE_URL');
  const tz = loadTzDatabase(settings.ZONE_DATA);
  logger.info({ tzVersion: tz.version, from: settings.ZONE_DATA }, 'tz database');
  const tracing = await createTracing('scheduler', settings, logger);
  const metrics = createMetrics();
  exportTzVersion(metrics, tz.version);
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

  const planner = createPlanner({
    orm,
    settings: {
      tz,
      lateLimitMs: settings.LATE_LIMIT,
      wake: { afterMs: settings.WAKE_AFTER, perSecond: settings.WAKE_RATE },
    },
    clock: Date.now,
    logger,
  });
  const plannerFor = createPlanMetrics(metrics, createQueryMetrics(metrics, ['plan']));
  const traces = createOccurrenceTraces(orm);
  const loops = [
    createOutboxConsumer({
      outbox: createOutbox(orm),
      planner: plannerFor(planner, 'outbox'),
      logger,
      onResults: createOutboxMetrics(metrics),
      ...(tracing !== null && {
        traced: tracePlans({ tracing, traces, logger, clock: Date.now }),
      }),
    }),
    createFollowUp({ orm, planner: plannerFor(planner, 'ledger'), logger }),
    createReplanner({
      orm,
      planner: plannerFor(planner, 'rules'),
      tzVersion: tz.version,
      logger,
    }),
    createNotifier({
      store: createNotifyStore(orm),
      redelivered: createRedelivered(orm),
      workflows: guarded(createOccasionWorkflows(temporal.client, temporal.taskQueue), guard),
      logger,
      observer: createNotifierMetrics(metrics),
    }),
  ];
  const reconciler = createLedgerReconciler({
    orm,
    planner: plannerFor(planner, 'reconciler'),
    logger,
    observer: createReconcileMetrics(metrics, LEDGER_KINDS),
    everyMs: settings.RECONCILE_EVERY,
  });

  guard.start();
  for (const loop of loops) loop.start();
  reconciler.start();
  return {
    async stop() {
      guard.stop();
      await Promise.all([...loops.map((loop) => loop.stop()), reconciler.stop()]);
      await temporal.close();
      await orm.close(true);
      await metricsServer.stop();
      await tracing?.stop();
    },
  };
}
