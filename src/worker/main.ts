/** The process `worker`: workflows and their activities. As many of them as needed. */
import { createActivities } from '../activities/index.ts';
import { requireSettings } from '../config/settings.ts';
import { requireAllowedHost } from '../delivery/wire/destination-guard.ts';
import { createDeliver } from '../delivery/deliver/deliver.ts';
import { createDestinationClient } from '../delivery/wire/webhook-client.ts';
import { createDeliverMetrics } from '../delivery/metrics.ts';
import { createSending } from '../delivery/sending.ts';
import { traceHeadersOf } from '../delivery/trace-deliveries.ts';
import { createErasure } from '../erasure/erasure.ts';
import { createWorkflowRemover } from '../erasure/workflow-remover.ts';
import { createTracing } from '../observability/create-tracing.ts';
import { createMetrics, exportTzVersion, type Registry } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import { createPoolMetrics } from '../observability/pool-metrics.ts';
import { createQueryMetrics } from '../observability/query-metrics.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import type { Tracing } from '../observability/tracing.ts';
import { waitFor } from '../observability/wait-for.ts';
import { checkDatabase } from '../persistence/database-health.ts';
import { findInstallationId } from '../persistence/installation.ts';
import { connectOrm, type Orm } from '../persistence/orm.ts';
import { createPlanMetrics } from '../planning/metrics.ts';
import { createPlanner } from '../planning/planner.ts';
import { createReconcileMetrics } from '../reconcile/metrics.ts';
import { createRunningWorkflows } from '../reconcile/running-workflows.ts';
import { createWorkflowReconciler, WORKFLOW_KINDS } from '../reconcile/workflows.ts';
import { createRetention } from '../retention/retention.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { createNamespaceGuard } from '../temporal/namespace-guard.ts';
import { createOccasionWorkflows } from '../temporal/occasion-workflows.ts';
import { erasureSchedule, housekeepingSchedule, reconcileSchedule } from '../temporal/schedules.ts';
import type { Retention } from '../workflows/maintenance-contract.ts';
import { loadTzDatabase } from '../platform/load-tz-database.ts';
import { installTemporalRuntime, temporalLogger } from './runtime.ts';
import { startKeepingSchedules } from './schedules.ts';
import { startTakingTurns } from './taking-turns.ts';
import { createTemporalMetrics } from './temporal-metrics.ts';
import { createWorker, MOST_ACTIVITIES } from './worker.ts';
import { bundleWorkflows, readWorkflowBundle, type WorkflowCode } from './workflow-bundle.ts';

await runService('worker', startWorker);

async function startWorker(context: ServiceContext): Promise<RunningService> {
  const { logger, readiness, fail } = context;
  const settings = requireSettings(context.settings, 'DATABASE_URL');
  const role = settings.WORKER_ROLE;
  // A worker of workflows alone sends nothing.
  const sending = role === 'workflows' ? null : requireSending(context.settings);
  const prebuilt = prebuiltWorkflows(settings);
  const tracing = await createTracing('worker', settings, logger);
  const metrics = createMetrics();
  // Nothing listens where nobody asks.
  const ofTemporal =
    settings.METRICS_PORT === undefined ? null : await createTemporalMetrics(logger);
  installTemporalRuntime(logger, ofTemporal?.exporter);
  const page = ofTemporal?.with(metrics) ?? metrics;
  const metricsServer = await serveMetrics({ metrics: page, readiness }, settings, logger);

  const orm = await connectOrm(settings.DATABASE_URL, {
    poolSize: settings.DATABASE_POOL,
    onPool: createPoolMetrics(metrics, settings.DATABASE_POOL),
    onRefused: fail,
  });
  const temporal = connectTemporal(settings);
  const { client, taskQueue } = temporal;
  const buildId = settings.WORKER_BUILD_ID ?? null;
  const guard = createNamespaceGuard(temporal, () => findInstallationId(orm), fail);
  // Refused before the workflows are bundled, which takes seconds, if the servers are there.
  await checkDatabase(orm);
  guard.start();
  const delivery = sending && createDelivery({ settings: sending, orm, metrics, tracing, logger });
  const workflows = createOccasionWorkflows(client, taskQueue);
  const activities =
    delivery &&
    createActivities({
      deliver: delivery.deliver,
      retention: createRetention(orm),
      erasure: createErasure(orm),
      workflowRemover: createWorkflowRemover(client, workflows),
      workflowReconciler: createWorkflowReconciler({
        orm,
        running: createRunningWorkflows(client, taskQueue),
        workflows,
        everyMs: settings.RECONCILE_EVERY,
        observer: createReconcileMetrics(metrics, WORKFLOW_KINDS),
        logger,
      }),
      logger,
    });

  const bundle = role !== 'activities' && {
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
        buildId,
        ...(activities !== null && { activities }),
        ...bundle,
      }),
    logger,
  );
  const running = worker.run();
  running.catch(fail);
  const schedules = startKeepingSchedules(
    client,
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
      : startTakingTurns({ client, taskQueue, build: buildId, logger, onRefused: fail });

  return {
    async stop() {
      guard.stop();
      // First: what the others wait for may take its time, and nothing new is to be taken meanwhile.
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await Promise.all([schedules.stop(), turns?.stop()]);
      await running.catch(() => {});
      await delivery?.stop();
      await connection.close();
      await temporal.close();
      await orm.close(true);
      await metricsServer.stop();
      await tracing?.stop();
    },
  };
}

function requireSending(settings: ServiceContext['settings']) {
  return requireAllowedHost(requireSettings(settings, 'WEBHOOK_URL', 'WEBHOOK_SECRETS'));
}

interface DeliveryDeps {
  readonly settings: ReturnType<typeof requireSending>;
  readonly orm: Orm;
  readonly metrics: Registry;
  readonly tracing: Tracing | null;
  readonly logger: ServiceContext['logger'];
}

/** All that deliver needs: it plans, and sends what no dispatcher is going to send. */
function createDelivery({ settings, orm, metrics, tracing, logger }: DeliveryDeps) {
  const clock = Date.now;
  const tz = loadTzDatabase(settings.ZONE_DATA);
  logger.info({ tzVersion: tz.version, from: settings.ZONE_DATA }, 'tz database');
  exportTzVersion(metrics, tz.version);
  const planner = createPlanner({
    orm,
    settings: {
      tz,
      lateLimitMs: settings.LATE_LIMIT,
      wake: { afterMs: settings.WAKE_AFTER, perSecond: settings.WAKE_RATE },
    },
    clock,
    logger,
  });
  const client = createDestinationClient(settings, {
    maxSockets: MOST_ACTIVITIES,
    ...(tracing !== null && { traceHeaders: traceHeadersOf(tracing) }),
  });
  const { deliver, stop } = createDeliver({
    sending: createSending({
      orm,
      tz,
      client,
      sentBy: 'workflow',
      clock,
      settings: {
        lateAfterMs: settings.LATE_AFTER,
        lateLimitMs: settings.LATE_LIMIT,
        giveUpAfterMs: settings.GIVE_UP_AFTER,
        timeoutMs: settings.WEBHOOK_TIMEOUT_MS,
      },
      // Their activities wait for them.
      outcomeWaitMs: 5,
      registry: metrics,
      tracing,
      logger,
    }),
    orm,
    planner: createPlanMetrics(metrics, createQueryMetrics(metrics, ['plan']))(planner, 'workflow'),
    onCall: createDeliverMetrics(metrics),
  });
  return {
    deliver,
    async stop() {
      await stop();
      client.close();
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
