/** The process `worker`: workflows and their activities. Run as many as needed. */
import { createActivities } from '../activities/index.ts';
import { createAuditStore } from '../audit/stored-audits.ts';
import { destinationsOf, requireSettings } from '../platform/settings/settings.ts';
import { createDeliver } from '../delivery/deliver/deliver.ts';
import { createDeliverMetrics } from '../delivery/metrics.ts';
import { openSending } from '../delivery/sending.ts';
import { requireAllowedHost } from '../delivery/wire/destination-guard.ts';
import { createGotClient } from '../delivery/wire/got-client.ts';
import { createErasure } from '../erasure/erasure.ts';
import { createWorkflowRemover } from '../erasure/workflow-remover.ts';
import { waitFor } from '../platform/async.ts';
import { createQueryMetrics } from '../platform/metrics.ts';
import { runService, type ServiceContext } from '../platform/service.ts';
import { type DateSettingsInForce, openDateSettings } from '../planning/date-settings.ts';
import { createPlanMetrics } from '../planning/metrics.ts';
import { createPlanner } from '../planning/planner.ts';
import { type Foundation, openFoundation } from '../platform/process.ts';
import { checkTemporal, openTemporal } from '../platform/temporal/open-temporal.ts';
import { loadStandardSettings } from '../platform/temporal/standard-settings.ts';
import { createWorkflowReconciler } from '../reconcile/workflows.ts';
import { createRetention } from '../retention/retention.ts';
import { createOccasionWorkflows } from '../workflows/occasion-client.ts';
import { createTemporalMetrics, installTemporalRuntime, temporalLogger } from './runtime.ts';
import { maintenanceSchedules, startKeepingSchedules } from './schedules.ts';
import { startVersionHandover } from './version-handover.ts';
import { createWorker, MOST_ACTIVITIES } from './worker.ts';
import { bundleWorkflows, readWorkflowBundle } from './workflow-bundle.ts';

await runService(
  'worker',
  startWorker,
  (settings) => requireSettings(settings, 'DATABASE_URL'),
  (settings) => settings.WORKER_ROLE === 'workflows' || requireSending(settings),
  loadStandardSettings,
);

async function startWorker(context: ServiceContext): Promise<void> {
  const { logger, fail, onStop } = context;
  const settings = requireSettings(context.settings, 'DATABASE_URL');
  const { WORKER_ROLE: role, WORKFLOW_BUNDLE: bundlePath } = settings;
  const runsWorkflows = role !== 'activities';
  // A worker that runs only workflows sends nothing.
  const sending = role === 'workflows' ? null : requireSending(settings);
  // Fails before anything starts if it is not usable.
  const prebuilt = runsWorkflows && bundlePath ? readWorkflowBundle(bundlePath) : null;
  // No port is opened unless something will read it.
  const temporalMetrics =
    settings.METRICS_PORT === undefined ? null : await createTemporalMetrics(logger);
  installTemporalRuntime(logger, temporalMetrics?.exporter);

  let temporal: ReturnType<typeof openTemporal> | null = null;
  const foundation = await openFoundation(context, settings.DATABASE_URL, {
    checks: async () => (temporal === null ? [] : [await checkTemporal(temporal)]),
    moreMetrics: temporalMetrics?.read,
  });
  const { metrics, orm } = foundation;
  const dateSettings = await openDateSettings(context, foundation);
  temporal = openTemporal(context, orm);
  const { client, namespace, taskQueue, dataConverter, guard } = temporal;
  const workflows = createOccasionWorkflows(client, taskQueue);
  const activities =
    sending &&
    createActivities({
      deliver: createDelivery(context, foundation, dateSettings, sending),
      retention: createRetention(orm),
      audits: createAuditStore({ orm, ...dateSettings, clock: Date.now }),
      erasure: createErasure(orm),
      workflowRemover: createWorkflowRemover(client, workflows),
      workflowReconciler: createWorkflowReconciler({
        orm,
        client,
        taskQueue,
        workflows,
        everyMs: settings.RECONCILE_EVERY,
        registry: metrics,
        logger,
      }),
      logger,
    });
  const bundle = runsWorkflows && {
    workflowBundle: prebuilt ?? (await bundleWorkflows(temporalLogger(logger))),
    enableNonLocalActivities: role === 'all',
  };

  const connection = await waitFor(
    `Temporal at ${temporal.address}`,
    temporal.connectWorker,
    logger,
  );
  onStop(() => connection.close());
  await waitFor(`the installation lock in the namespace ${namespace}`, guard.check, logger);
  const buildId = settings.WORKER_BUILD_ID ?? null;
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
  const background = [
    startKeepingSchedules(client, maintenanceSchedules(taskQueue, settings), logger),
  ];
  // Workers of workflows choose the version that gets the work; activities follow.
  if (runsWorkflows) {
    const handover = { client, taskQueue, build: buildId, logger, onRefused: fail };
    background.push(startVersionHandover(handover));
  }
  onStop(async () => {
    // First, so that nothing new is taken while the other parts stop, which may take a while.
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.all(background.map((part) => part.stop()));
    await running.catch(() => {});
  });
}

function requireSending(settings: ServiceContext['settings']) {
  return requireAllowedHost(requireSettings(settings, 'WEBHOOK_URL', 'WEBHOOK_SECRETS'));
}

/** The activity deliver, which plans, and sends what no dispatcher is going to send. */
function createDelivery(
  context: ServiceContext,
  foundation: Foundation,
  { tz, limits }: DateSettingsInForce,
  settings: ReturnType<typeof requireSending>,
) {
  const { orm, metrics } = foundation;
  const { logger, onStop } = context;
  const planner = createPlanner({
    orm,
    settings: {
      tz,
      ...limits,
      wake: { afterMs: settings.WAKE_AFTER, perSecond: settings.WAKE_RATE },
    },
    clock: Date.now,
    logger,
  });
  const { deliver, stop } = createDeliver({
    sendings: openSending(context, foundation, destinationsOf(settings), {
      sentBy: 'workflow',
      createClient: createGotClient,
      maxSockets: MOST_ACTIVITIES,
      tz,
      limits,
      // Their activities wait for these.
      outcomeWaitMs: 5,
    }),
    orm,
    planner: createPlanMetrics(metrics, createQueryMetrics(metrics, ['plan']))(planner, 'workflow'),
    onCall: createDeliverMetrics(metrics),
  });
  onStop(stop);
  return deliver;
}
