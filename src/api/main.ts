/** The process `api`: the HTTP API on a socket. It never talks to Temporal. */
import { requireSettings } from '../config/settings.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { checkDatabase } from '../persistence/database-health.ts';
import { createOccurrenceReader } from '../persistence/occurrence-reader.ts';
import { connectOrm } from '../persistence/orm.ts';
import { createUserStore } from '../persistence/user-store.ts';
import { loadZoneLaw } from '../zones/load-zone-law.ts';
import { createApp } from './app.ts';
import { childChecks, type ChildStates, childStatesOf, databaseChecks } from './readiness.ts';
import { listen } from './server.ts';

await runService('api', startApi);

async function startApi(context: ServiceContext): Promise<RunningService> {
  const { logger } = context;
  const settings = requireSettings(context.settings, 'DATABASE_URL');
  let children: ChildStates | null = null;
  process.on('message', (message) => {
    children = childStatesOf(message) ?? children;
  });

  const law = loadZoneLaw(settings.ZONE_DATA);
  logger.info({ tzVersion: law.version, from: settings.ZONE_DATA }, 'zone law');

  const orm = await connectOrm(settings.DATABASE_URL, {
    poolSize: settings.DATABASE_POOL,
  });
  const app = createApp({
    users: createUserStore(orm),
    occurrences: createOccurrenceReader(orm),
    clock: Date.now,
    law,
    dateSettings: {
      leapDayPolicy: settings.LEAP_DAY_POLICY,
      localTime: settings.DELIVERY_LOCAL_TIME,
    },
    async readiness() {
      const database = databaseChecks(await checkDatabase(orm));
      return process.connected ? [...database, ...childChecks(children)] : database;
    },
    logger,
  });
  const server = await listen(app, { host: settings.HOST, port: settings.PORT });
  logger.info({ url: server.url }, 'listening');
  return {
    async stop() {
      await server.stop();
      await orm.close(true);
    },
  };
}
