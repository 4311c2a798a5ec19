/**
 * The process `scheduler`: plans what has changed and what follows settled occurrences, and
 * notifies Temporal of it. Run as many as needed; without Temporal, planning continues.
 */
import { requireSettings } from '../platform/settings/settings.ts';
import { createLedgerState } from '../ledger/ledger-state.ts';
import { createOccurrenceTraces } from '../ledger/occurrence-traces.ts';
import { createRedelivered } from '../ledger/redelivered.ts';
import {
  createOperationsWebhook,
  operationsDestination,
} from '../operations-webhook/operations-webhook.ts';
import { createQueryMetrics } from '../platform/metrics.ts';
import { runService, type ServiceContext } from '../platform/service.ts';
import { openFoundation } from '../platform/process.ts';
import { openTemporal } from '../platform/temporal/open-temporal.ts';
import { loadStandardSettings } from '../platform/temporal/standard-settings.ts';
import { createLedgerReconciler } from '../reconcile/ledger.ts';
import { createOccasionWorkflows } from '../workflows/occasion-client.ts';
import { createOutbox } from '../users/outbox.ts';
import { openDateSettings } from './date-settings.ts';
import { createDispatchersFirst } from './pace/dispatchers-first.ts';
import { createFollowUp } from './follow-up.ts';
import { createNotifierMetrics, createOutboxMetrics, createPlanMetrics } from './metrics.ts';
import { createNotifier } from './notifier/notifier.ts';
import { createNotifyStore } from './notifier/notify-store.ts';
import { createOutboxConsumer } from './outbox-consumer.ts';
import { createPlanner } from './planner.ts';
import { createReplanner } from './replanner.ts';
import { createRequestsFirst } from './pace/requests-first.ts';

await runService(
  'scheduler',
  startScheduler,
  (settings) => requireSettings(settings, 'DATABASE_URL'),
  operationsDestination,
  loadStandardSettings,
);

async function startScheduler(context: ServiceContext): Promise<void> {
  const { logger, onStop } = context;
  const settings = requireSettings(context.settings, 'DATABASE_URL');
  const { tracing, metrics, orm } = await openFoundation(context, settings.DATABASE_URL);
  const { tz, limits } = await openDateSettings(context, { metrics, orm });
  const { client, taskQueue, guard } = openTemporal(context, orm);

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
  const plannerFor = createPlanMetrics(metrics, createQueryMetrics(metrics, ['plan']));
  const traces = createOccurrenceTraces(orm, logger);
  const loops = [
    createOutboxConsumer({
      outbox: createOutbox(orm),
      planner: plannerFor(planner, 'outbox'),
      areRequestsSlow: createRequestsFirst(orm),
      logger,
      onResults: createOutboxMetrics(metrics),
      traced: tracing && { tracing, traces, clock: Date.now },
    }),
    createFollowUp({
      orm,
      planner: plannerFor(planner, 'ledger'),
      isLeftToDispatchers: createDispatchersFirst(orm),
      logger,
    }),
    createReplanner({
      orm,
      planner: plannerFor(planner, 'rules'),
      tzVersion: tz.version,
      isLeftToDispatchers: createDispatchersFirst(orm),
      logger,
    }),
    createNotifier({
      store: createNotifyStore(orm),
      redelivered: createRedelivered(orm),
      workflows: createOccasionWorkflows(client, taskQueue, guard.check),
      isLeftToDispatchers: createDispatchersFirst(orm),
      areRequestsSlow: createRequestsFirst(orm),
      logger,
      observer: createNotifierMetrics(metrics),
    }),
    createLedgerReconciler({
      orm,
      planner: plannerFor(planner, 'reconciler'),
      logger,
      registry: metrics,
      everyMs: settings.RECONCILE_EVERY,
    }),
    createOperationsWebhook({
      destination: operationsDestination(settings),
      ledgerState: createLedgerState(orm, limits),
      audit: { orm, tz, limits, clock: Date.now },
      logger,
      metrics,
    }),
  ];
  for (const loop of loops) loop.start();
  onStop(() => Promise.all(loops.map((loop) => loop.stop())));
}
