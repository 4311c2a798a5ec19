/** The process `relay`: what happens to users, on its way to Temporal. */
import { requireSettings } from '../config/settings.ts';
import { eventTypes } from '../event-types/index.ts';
import { createMetrics } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import { createPoolMetrics } from '../observability/pool-metrics.ts';
import { createTracing } from '../observability/create-tracing.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { checkDatabase } from '../persistence/database-health.ts';
import { findInstallationId } from '../persistence/installation.ts';
import { connectOrm } from '../persistence/orm.ts';
import { createOutbox } from '../persistence/outbox-store.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { createNamespaceGuard, guarded } from '../temporal/namespace-guard.ts';
import { createScheduler } from '../temporal/scheduler.ts';
import { createRelayMetrics } from './metrics.ts';
import { startRelay } from './relay.ts';
import { createSchedulingSubscriber } from './scheduling.ts';
import { traceSubscriber } from './trace-subscriber.ts';

await runService('relay', startRelaying);

async function startRelaying(context: ServiceContext): Promise<RunningService> {
  const { logger, readiness, fail } = context;
  const settings = requireSettings(context.settings, 'DATABASE_URL');
  const tracing = await createTracing('relay', settings, logger);
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
  const scheduler = guarded(createScheduler(temporal.client, temporal.taskQueue), guard);
  guard.start();
  const scheduling = createSchedulingSubscriber(scheduler, {
    eventTypes: eventTypes.names,
    maxPerSecond: settings.RELAY_MAX_PER_SECOND,
  });
  const subscribers = [tracing === null ? scheduling : traceSubscriber(scheduling, tracing)];
  const relay = startRelay({
    outbox: createOutbox(orm),
    subscribers,
    logger,
    onSettled: createRelayMetrics(metrics, subscribers),
  });
  return {
    async stop() {
      guard.stop();
      await relay.stop();
      await temporal.close();
      await orm.close(true);
      await metricsServer.stop();
      await tracing?.stop();
    },
  };
}
