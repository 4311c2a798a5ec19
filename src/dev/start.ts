/** From settings to a running whole: everything that `npm start` does, in its order. */
import type { Machine } from '../config/machine.ts';
import type { Settings } from '../config/settings.ts';
import { banner } from './banner.ts';
import type { ChildSpec } from './child.ts';
import { takeDataDir } from './data-dir.ts';
import { stopLeftovers } from './leftovers.ts';
import { runMigration } from './migration.ts';
import { findPorts, type Ports } from './ports.ts';
import { prepareEmbeddedPostgres } from './postgres.ts';
import { createProcessRecord } from './process-record.ts';
import { serviceEnvironment, services, withoutSecrets } from './services.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';
import { findTemporalBinary } from './temporal-binary.ts';
import { temporalServer } from './temporal-server.ts';
import type { Terminal } from './terminal.ts';
import { keepWebhookSecret } from './webhook-secret.ts';

export interface StartContext {
  readonly settings: Settings;
  readonly machine: Machine;
  readonly terminal: Terminal;
  /** Aborted when the person wants it stopped. */
  readonly stopRequested: AbortSignal;
  /** Aborted when they do not want to wait for that. */
  readonly killRequested: AbortSignal;
}

/** Connections besides the pools: migrations, the readiness check, somebody's psql. */
const SPARE_CONNECTIONS = 20;
const POOLS = 5;

/** Runs Daybell until it is asked to stop or fails; nothing is left running either way. */
export async function runDaybell(context: StartContext): Promise<void> {
  const { settings, terminal } = context;
  const dataDir = await takeDataDir(settings.DATA_DIR);
  try {
    await stopLeftovers(dataDir.path, terminal.say);
    const ports = await findPorts(settings);
    const record = createProcessRecord(dataDir.path);
    const supervisor = createSupervisor({ terminal, record });
    context.killRequested.addEventListener('abort', () => supervisor.kill());
    const over = new AbortController();
    const stopRequested = untilAborted(context.stopRequested);
    const failed = supervisor.failed.then((error) => Promise.reject(error));
    const starting = startAll(context, dataDir.path, ports, supervisor, over.signal);
    try {
      await Promise.race([starting, stopRequested, failed]);
      await Promise.race([stopRequested, failed]);
      terminal.say('stopping');
    } finally {
      over.abort();
      await supervisor.stop();
      await starting.catch(() => {});
      record.clear();
    }
  } finally {
    dataDir.release();
  }
}

async function startAll(
  context: StartContext,
  dataDir: string,
  ports: Ports,
  supervisor: Supervisor,
  over: AbortSignal,
): Promise<void> {
  const { settings, machine, terminal } = context;
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

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
