/** Everything that `npm start` starts, in its order. */
import { banner } from './banner.ts';
import type { ChildSpec } from './child.ts';
import { runMigration } from './migration.ts';
import { findPorts } from './ports.ts';
import { prepareEmbeddedPostgres } from './postgres/embedded.ts';
import type { Place, StartContext } from './run-supervised.ts';
import { serviceEnvironment, services, withoutSecrets } from './services.ts';
import { findTemporalBinary } from './temporal/binary.ts';
import { temporalServer } from './temporal/server.ts';
import { keepWebhookSecret } from './webhook-secret.ts';

/** Connections besides the pools: migrations, the readiness check, somebody's psql. */
const SPARE_CONNECTIONS = 20;
const POOLS = 5;

/** The embedded default: its own servers as far as none are given, and Daybell's processes. */
export async function startDaybell(
  context: StartContext,
  { dataDir, supervisor, over }: Place,
): Promise<void> {
  const { settings, machine, terminal } = context;
  const ports = await findPorts(settings);
  const onProgress = terminal.say;
  const servers: ChildSpec[] = [];
  let databaseUrl: string | null = null;

  if (ports.temporal !== null && ports.temporalUi !== null) {
    const binary = await findTemporalBinary({ ...machine, onProgress, signal: over });
    servers.push(
      temporalServer({
        binary,
        dataDir,
        port: ports.temporal,
        uiPort: ports.temporalUi,
        home: machine.home,
      }),
    );
  }
  if (ports.postgres !== null) {
    const postgres = await prepareEmbeddedPostgres({
      dataDir,
      port: ports.postgres,
      connections: settings.DATABASE_POOL * POOLS + SPARE_CONNECTIONS,
      path: machine.path,
      onProgress,
    });
    databaseUrl = postgres.url;
    servers.push(postgres.child);
  }
  const isSecretGiven = ports.receiver === null || settings.WEBHOOK_SECRETS !== undefined;
  const webhookSecret = isSecretGiven ? null : await keepWebhookSecret(dataDir);
  over.throwIfAborted();
  await supervisor.start(servers);

  const environment = serviceEnvironment({
    environment: machine.environment,
    dataDir,
    ports,
    databaseUrl,
    webhookSecret,
  });
  await runMigration(withoutSecrets(environment), terminal, over);
  await supervisor.start(services(environment, ports));
  terminal.print(
    banner({
      host: settings.HOST,
      ports,
      dataDir,
      temporalAddress: settings.TEMPORAL_ADDRESS,
      webhookUrl: settings.WEBHOOK_URL,
      deliveryLocalTime: settings.DELIVERY_LOCAL_TIME,
      withKeys: settings.API_KEYS !== undefined,
    }),
  );
}
