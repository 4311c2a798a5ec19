/** The process `relay`: what happens to users, on its way to Temporal. */
import { requireSettings } from '../config/settings.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { connectOrm } from '../persistence/orm.ts';
import { createOutbox } from '../persistence/outbox-store.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { createScheduler } from '../temporal/scheduler.ts';
import { startRelay } from './relay.ts';
import { createSchedulingSubscriber } from './scheduling.ts';

await runService('relay', startRelaying);

async function startRelaying(context: ServiceContext): Promise<RunningService> {
  const { logger } = context;
  const settings = requireSettings(context.settings, 'DATABASE_URL');
  const orm = await connectOrm(settings.DATABASE_URL, {
    poolSize: settings.DATABASE_POOL,
  });
  const temporal = connectTemporal(settings);
  const scheduler = createScheduler(temporal.client, settings.TEMPORAL_TASK_QUEUE);
  const relay = startRelay({
    outbox: createOutbox(orm),
    subscribers: [createSchedulingSubscriber(scheduler)],
    logger,
  });
  return {
    async stop() {
      await relay.stop();
      await temporal.close();
      await orm.close(true);
    },
  };
}
