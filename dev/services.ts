/** Daybell's own processes, as children of the supervisor. */
import { fork } from 'node:child_process';
import { join } from 'node:path';

import { SETTING_NAMES } from '../src/platform/settings/settings.ts';
import { newWebhookSecret } from '../src/platform/settings/webhook-secrets.ts';
import { type ChildSpec, NICENESS } from './child.ts';
import { keepSecret } from './data-dir.ts';
import type { Startup } from './foreground.ts';
import { withMetricsPort, type Ports } from './ports.ts';
import { runCommand } from './run-command.ts';
import { StartError } from './start-error.ts';

const ROOT = join(import.meta.dirname, '..');
/** The worker bundles its workflows first: 4 s on an idle machine, much longer on a busy one. */
const READY_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 20_000;
/**
 * Its open requests end first: longer than the longest WEBHOOK_TIMEOUT_MS, like the compose file.
 */
const DISPATCHER_STOP_LIMIT_MS = 150_000;
/** Longer than any migration should take; one that hangs is waiting for a lock. */
const MIGRATION_LIMIT_MS = 10 * 60_000;

/** Processes that others write to start first, and stop last. */
const SERVICES = [
  { name: 'receiver', entry: 'dev/receiver-main.ts' },
  { name: 'dispatcher', entry: 'src/delivery/main.ts' },
  { name: 'worker', entry: 'src/worker/main.ts' },
  { name: 'scheduler', entry: 'src/planning/main.ts' },
  { name: 'api', entry: 'src/api/main.ts' },
] as const;

/**
 * Migrates the database's schema, and returns the processes to start after that.
 *
 * @param ownerUrl with the role that migrates, if the processes use another
 */
export async function prepareServices(
  { settings, machine, terminal, dataDir, signal }: Startup,
  ports: Ports,
  databaseUrl: string | null,
  ownerUrl: string | null = null,
): Promise<ChildSpec[]> {
  // For the connection between Daybell and its own receiver.
  const makesSecret = ports.receiver !== null && settings.WEBHOOK_SECRETS === undefined;
  const environment = {
    ...serviceEnvironment(machine.environment, ports, dataDir),
    ...(databaseUrl !== null && { DATABASE_URL: databaseUrl }),
    ...(makesSecret && {
      WEBHOOK_SECRETS: await keepSecret(join(dataDir, 'webhook.secret'), newWebhookSecret),
    }),
  };
  const migration = await runCommand(process.execPath, [join(ROOT, 'src/cli/migrate.ts')], {
    env: { ...environment, ...(ownerUrl !== null && { DATABASE_URL: ownerUrl }) },
    timeoutMs: MIGRATION_LIMIT_MS,
    signal,
  });
  signal.throwIfAborted();
  if (migration.ok) return services(environment, ports);
  const output = migration.output.trim().split('\n').map(terminal.readable).join('\n  ');
  throw new StartError(
    `The database could not be migrated (${migration.problem}). The output of the migration:\n  ${output}`,
  );
}

/** All processes, but the receiver only if there is a port for it. */
export function services(environment: NodeJS.ProcessEnv, ports: Ports): ChildSpec[] {
  return SERVICES.filter(({ name }) => name !== 'receiver' || ports.receiver !== null).map(
    ({ name, entry }) => ({
      name,
      niceness: NICENESS[name],
      spawn: () =>
        fork(join(ROOT, entry), [], {
          env: withMetricsPort(environment, name, ports.metrics),
          // In its own process group: Ctrl-C reaches only the supervisor. The process ends when the
          // IPC channel does.
          detached: true,
          stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        }),
      readyWithinMs: READY_LIMIT_MS,
      stopSignal: 'SIGTERM',
      stopWithinMs: name === 'dispatcher' ? DISPATCHER_STOP_LIMIT_MS : STOP_LIMIT_MS,
      killSignal: 'SIGKILL',
    }),
  );
}

/** The given environment, and the addresses of the embedded parts. */
function serviceEnvironment(
  given: NodeJS.ProcessEnv,
  { api, temporal, temporalUi, receiver }: Ports,
  dataDir: string,
): NodeJS.ProcessEnv {
  // A client's key, certificate or profile in it is for another server than the embedded one.
  const isForAnother = (name: string): boolean =>
    temporal !== null && name.startsWith('TEMPORAL_') && !SETTING_NAMES.includes(name);
  return {
    ...Object.fromEntries(Object.entries(given).filter(([name]) => !isForAnother(name))),
    DATA_DIR: dataDir,
    PORT: String(api),
    ...(temporal !== null && {
      TEMPORAL_ADDRESS: `127.0.0.1:${temporal}`,
      TEMPORAL_NAMESPACE: 'default',
      // A file that does not exist: Temporal's SDK fails on an empty one.
      TEMPORAL_CONFIG_FILE: join(dataDir, 'no-temporal-profile.toml'),
    }),
    ...(temporalUi !== null && { TEMPORAL_UI_URL: `http://127.0.0.1:${temporalUi}` }),
    ...(receiver !== null && {
      RECEIVER_DEV_PORT: String(receiver),
      WEBHOOK_URL: `http://127.0.0.1:${receiver}/`,
      WEBHOOK_ALLOW_PRIVATE: 'true',
    }),
  };
}
