/** The process `worker`: workflows and their activities. As many of them as needed. */
import { createActivities } from '../activities/index.ts';
import { requireSettings } from '../config/settings.ts';
import { createPlanner } from '../events/planner.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { waitFor } from '../observability/wait-for.ts';
import { createDeliveryLedger } from '../persistence/delivery-ledger.ts';
import { connectOrm } from '../persistence/orm.ts';
import { createOutdatedPlans } from '../persistence/outdated-plans.ts';
import { createPlanningStore } from '../persistence/planning-store.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { createScheduler } from '../temporal/scheduler.ts';
import { loadZoneLaw } from '../zones/load-zone-law.ts';
import { startReplanning } from './outdated-plans.ts';
import { installTemporalRuntime, temporalLogger } from './runtime.ts';
import { createWorker } from './worker.ts';
import { bundleWorkflows } from './workflow-bundle.ts';

await runService('worker', startWorker);

async function startWorker(context: ServiceContext): Promise<RunningService> {
  const { logger, fail } = context;
  const settings = requireSettings(context.settings, 'DATABASE_URL');
  const law = loadZoneLaw(settings.ZONE_DATA);
  logger.info({ tzVersion: law.version, from: settings.ZONE_DATA }, 'zone law');

  const rules = {
    leapDayPolicy: settings.LEAP_DAY_POLICY,
    localTime: settings.DELIVERY_LOCAL_TIME,
    law,
  };

  installTemporalRuntime(logger);
  const orm = await connectOrm(settings.DATABASE_URL, {
    poolSize: settings.DATABASE_POOL,
  });
  const temporal = connectTemporal(settings);
  const activities = createActivities({
    planner: createPlanner({
      store: createPlanningStore(orm),
      settings: {
        rules,
        lateLimitMs: settings.LATE_LIMIT,
        armLeadMs: settings.ARM_LEAD,
        armWindowMs: settings.ARM_WINDOW,
      },
      logger,
    }),
    arming: createDeliveryLedger(orm, { lateAfterMs: settings.LATE_AFTER }),
    clock: Date.now,
  });

  const workflowBundle = await bundleWorkflows(temporalLogger(logger));
  await waitFor('the database', () => orm.em.fork().execute('select 1'), logger);
  const connection = await waitFor(
    `Temporal at ${temporal.address}`,
    temporal.connectWorker,
    logger,
  );
  const { namespace } = temporal;
  const taskQueue = settings.TEMPORAL_TASK_QUEUE;
  const worker = await waitFor(
    `the namespace ${namespace}`,
    () => createWorker({ connection, namespace, taskQueue, workflowBundle, activities }),
    logger,
  );
  const running = worker.run();
  running.catch(fail);
  const scheduler = createScheduler(temporal.client, taskQueue);
  const plans = createOutdatedPlans(orm);
  const replanning = startReplanning({ plans, scheduler, rules, clock: Date.now }, logger);

  return {
    async stop() {
      await replanning.stop();
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running.catch(() => {});
      await connection.close();
      await temporal.close();
      await orm.close(true);
    },
  };
}
