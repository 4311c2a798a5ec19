/** The process `worker`: workflows and their activities. As many of them as needed. */
import { createActivities } from '../activities/index.ts';
import { requireSettings } from '../config/settings.ts';
import type { Retention } from '../domain/housekeeping-messages.ts';
import { eventTypes } from '../event-types/index.ts';
import { createPlanner } from '../events/planner.ts';
import { createReconciler } from '../events/reconcile.ts';
import { createMetrics, exportTzVersion } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import { createPoolMetrics } from '../observability/pool-metrics.ts';
import { createQueryMetrics } from '../observability/query-metrics.ts';
import { createTracing } from '../observability/create-tracing.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { waitFor } from '../observability/wait-for.ts';
import { checkDatabase } from '../persistence/database-health.ts';
import { createDeliveryLedger } from '../persistence/delivery-ledger.ts';
import { createErasureLedger } from '../persistence/erasure.ts';
import { findInstallationId } from '../persistence/installation.ts';
import { connectOrm } from '../persistence/orm.ts';
import { createOccurrenceTraces } from '../persistence/occurrence-traces.ts';
import { createOutdatedPlans } from '../persistence/outdated-plans.ts';
import { createPlanningStore } from '../persistence/planning-store.ts';
import { createReconcileLedger } from '../persistence/reconcile-ledger.ts';
import { createRedeliveryLedger } from '../persistence/redelivery-ledger.ts';
import { createRetention } from '../persistence/retention.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { createNamespaceGuard } from '../temporal/namespace-guard.ts';
import { createFollowerEngine } from '../temporal/follower-engine.ts';
import { createRedeliveries } from '../temporal/redeliveries.ts';
import { erasureSchedule, housekeepingSchedule, reconcileSchedule } from '../temporal/schedules.ts';
import { createScheduler } from '../temporal/scheduler.ts';
import { createWorkflowRemover } from '../temporal/workflow-remover.ts';
import { loadZoneLaw } from '../zones/load-zone-law.ts';
import { startReplanning } from './outdated-plans.ts';
import { createArmingMetrics } from './arming-metrics.ts';
import { observePlanner, observeReconciler } from './planning-metrics.ts';
import { createReconcileMetrics } from './reconcile-metrics.ts';
import { installTemporalRuntime, temporalLogger } from './runtime.ts';
import { startKeepingSchedules } from './schedules.ts';
import { startTakingTurns } from './taking-turns.ts';
import { createTemporalMetrics } from './temporal-metrics.ts';
import { traceArming, tracePlanner } from './trace-planning.ts';
import { createWorker } from './worker.ts';
import { bundleWorkflows, readWorkflowBundle, type WorkflowCode } from './workflow-bundle.ts';

await runService('worker', startWorker);

async function startWorker(context: ServiceContext): Promise<RunningService> {
  const { logger, readiness, fail } = context;
  const settings = requireSettings(context.settings, 'DATABASE_URL');
  const role = settings.WORKER_ROLE;
  const prebuilt = prebuiltWorkflows(settings);
  const law = loadZoneLaw(settings.ZONE_DATA);
  logger.info({ tzVersion: law.version, from: settings.ZONE_DATA }, 'zone law');
  const tracing = await createTracing('worker', settings, logger);
  const metrics = createMetrics();
  exportTzVersion(metrics, law.version);
  // Nothing listens where nobody asks.
  const ofTemporal =
    settings.METRICS_PORT === undefined ? null : await createTemporalMetrics(logger);
  installTemporalRuntime(logger, ofTemporal?.exporter);
  const page = ofTemporal?.with(metrics) ?? metrics;
  const metricsServer = await serveMetrics({ metrics: page, readiness }, settings, logger);

  const rules = {
    leapDayPolicy: settings.LEAP_DAY_POLICY,
    localTime: settings.DELIVERY_LOCAL_TIME,
    law,
  };

  const orm = await connectOrm(settings.DATABASE_URL, {
    poolSize: settings.DATABASE_POOL,
    onPool: createPoolMetrics(metrics, settings.DATABASE_POOL),
    onRefused: fail,
  });
  const temporal = connectTemporal(settings);
  const { taskQueue } = temporal;
  const buildId = settings.WORKER_BUILD_ID ?? null;
  const guard = createNamespaceGuard(temporal, () => findInstallationId(orm), fail);
  // Refused before the workflows are bundled, which takes seconds, if the servers are there.
  await checkDatabase(orm);
  guard.start();
  const scheduler = createScheduler(temporal.client, taskQueue);
  const planning = createPlanner({
    store: createPlanningStore(orm, eventTypes.facts),
    settings: {
      rules,
      lateLimitMs: settings.LATE_LIMIT,
      armLeadMs: settings.ARM_LEAD,
      armWindowMs: settings.ARM_WINDOW,
    },
    logger,
  });
  const planner = observePlanner(metrics, planning, createQueryMetrics(metrics, ['plan']));
  const arming = createDeliveryLedger(orm, { lateAfterMs: settings.LATE_AFTER });
  const traced = tracing && { tracing, traces: createOccurrenceTraces(orm), logger };
  const reconciler = createReconciler({
    ledger: createReconcileLedger(orm, eventTypes.facts),
    engine: createFollowerEngine(temporal.client),
    scheduler,
    redeliveries: createRedeliveries(temporal.client, taskQueue),
    eventTypes: eventTypes.names,
    clock: Date.now,
    observer: createReconcileMetrics(metrics),
    logger,
  });
  const activities = createActivities({
    planner: traced === null ? planner : tracePlanner(planner, traced),
    arming: traced === null ? arming : traceArming(arming, traced),
    redeliveryLedger: createRedeliveryLedger(orm),
    retention: createRetention(orm),
    erasures: createErasureLedger(orm),
    workflows: createWorkflowRemover(temporal.client),
    eventTypes: eventTypes.names,
    raiseAlarm: (fields, message) => logger.error(fields, message),
    reconciler: observeReconciler(metrics, reconciler),
    clock: Date.now,
    logger,
    armingObserver: createArmingMetrics(metrics),
  });

  const workflows = role !== 'activities' && {
    workflowBundle: prebuilt ?? (await bundleWorkflows(temporalLogger(logger))),
    enableNonLocalActivities: role === 'all',
  };
  await waitFor('the database', () => orm.em.fork().execute('select 1'), logger);
  const connection = await waitFor(
    `Temporal at ${temporal.address}`,
    temporal.connectWorker,
    logger,
  );
  const { namespace, dataConverter } = temporal;
  await waitFor(`what is in the namespace ${namespace}`, guard.check, logger);
  const worker = await waitFor(
    `the namespace ${namespace}`,
    () =>
      createWorker({
        connection,
        namespace,
        taskQueue,
        dataConverter,
        activities,
        buildId,
        ...workflows,
      }),
    logger,
  );
  const running = worker.run();
  running.catch(fail);
  const schedules = startKeepingSchedules(
    temporal.client,
    [
      housekeepingSchedule(taskQueue, retentionOf(settings)),
      erasureSchedule(taskQueue, settings.ERASE_AFTER),
      reconcileSchedule(taskQueue, settings.RECONCILE_EVERY),
    ],
    logger,
  );
  // Workflows follow whose workers are there for them; activities follow their workflow.
  const turns =
    role === 'activities'
      ? null
      : startTakingTurns({
          client: temporal.client,
          taskQueue,
          build: buildId,
          logger,
          onRefused: fail,
        });
  const plans = createOutdatedPlans(orm);
  const replanning = startReplanning({ plans, scheduler, rules, clock: Date.now }, logger);

  return {
    async stop() {
      guard.stop();
      // First: what the others wait for may take its time, and nothing new is to be taken meanwhile.
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await Promise.all([replanning.stop(), schedules.stop(), turns?.stop()]);
      await running.catch(() => {});
      await connection.close();
      await temporal.close();
      await orm.close(true);
      await metricsServer.stop();
      await tracing?.stop();
    },
  };
}

/** Refused before anything is begun, if it is not usable. */
function prebuiltWorkflows(settings: ServiceContext['settings']): WorkflowCode | null {
  const { WORKFLOW_BUNDLE: path, WORKER_ROLE: role } = settings;
  return path === undefined || role === 'activities' ? null : readWorkflowBundle(path);
}

function retentionOf(settings: ServiceContext['settings']): Retention {
  return {
    attemptsMs: settings.RETAIN_ATTEMPTS,
    responseExcerptsMs: settings.RETAIN_RESPONSE_EXCERPTS,
    idempotencyKeysMs: settings.RETAIN_IDEMPOTENCY_KEYS,
    outboxMs: settings.RETAIN_OUTBOX,
  };
}
