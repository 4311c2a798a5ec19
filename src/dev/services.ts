/** Daybell's own processes, as children of the supervisor. */
import { fork } from 'node:child_process';
import { join } from 'node:path';

import type { ChildSpec } from './child.ts';
import { withMetricsPort } from './metrics-ports.ts';
import type { Ports } from './ports.ts';

const SOURCE = join(import.meta.dirname, '..');
export const MIGRATE = join(SOURCE, 'persistence', 'migrate.ts');

/** The worker bundles its workflows first: 4 s here, much longer on a busy machine. */
const READY_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 20_000;
/** Its open requests end first: longer than the longest that WEBHOOK_TIMEOUT_MS can be, as in the compose file. */
const DISPATCHER_STOP_LIMIT_MS = 150_000;

/**
 * What is made and ends by itself comes first; what others write to, last. Those that sign
 * webhooks, or verify them, get the secrets.
 */
const SERVICES = [
  { name: 'api', entry: 'api/main.ts', stopStage: 0, signs: true },
  { name: 'scheduler', entry: 'planning/main.ts', stopStage: 0, signs: false },
  { name: 'worker', entry: 'worker/main.ts', stopStage: 1, signs: true },
  { name: 'dispatcher', entry: 'delivery/main.ts', stopStage: 1, signs: true },
  { name: 'receiver', entry: 'dev/receiver-main.ts', stopStage: 2, signs: true },
] as const;

/** The processes to run: all, but the receiver only when there is a port for it. */
export function services(environment: NodeJS.ProcessEnv, ports: Ports): ChildSpec[] {
  return SERVICES.filter(({ name }) => name !== 'receiver' || ports.receiver !== null).map(
    ({ name, entry, stopStage, signs }) => ({
      name,
      stopStage,
      spawn: () =>
        fork(join(SOURCE, entry), [], {
          env: withMetricsPort(
            signs ? environment : withoutSecrets(environment),
            name,
            ports.metrics,
          ),
          // A group of its own: Ctrl-C is for the supervisor. It ends when the IPC channel does.
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

export interface ServiceEnvironmentOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly dataDir: string;
  readonly ports: Ports;
  /** Of the embedded PostgreSQL. */
  readonly databaseUrl: string | null;
  /** Between Daybell and the embedded receiver. */
  readonly webhookSecret: string | null;
}

/** The environment of all of them: what was given, and where the embedded parts are. */
export function serviceEnvironment({
  environment,
  dataDir,
  ports,
  databaseUrl,
  webhookSecret,
}: ServiceEnvironmentOptions): NodeJS.ProcessEnv {
  return {
    ...(ports.temporal === null ? environment : withoutTemporalClient(environment)),
    DATA_DIR: dataDir,
    PORT: String(ports.api),
    ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl }),
    ...(ports.temporal === null
      ? {}
      : {
          TEMPORAL_ADDRESS: `127.0.0.1:${ports.temporal}`,
          TEMPORAL_NAMESPACE: 'default',
          // A file that is not there: Temporal's SDK stumbles over an empty one.
          TEMPORAL_CONFIG_FILE: join(dataDir, 'no-temporal-profile.toml'),
        }),
    ...(ports.receiver === null
      ? {}
      : {
          RECEIVER_DEV_PORT: String(ports.receiver),
          WEBHOOK_URL: receiverUrl(ports.receiver),
          WEBHOOK_ALLOW_PRIVATE: 'true',
        }),
    ...(webhookSecret === null ? {} : { WEBHOOK_SECRETS: webhookSecret }),
  };
}

/** Where the embedded receiver takes greetings. */
export function receiverUrl(port: number): string {
  return `http://127.0.0.1:${port}/`;
}

/** For processes that neither sign webhooks nor verify them. */
export function withoutSecrets(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => name !== 'WEBHOOK_SECRETS'),
  );
}

/** Named like Temporal's, and Daybell's own. */
const OURS: ReadonlySet<string> = new Set(['TEMPORAL_TASK_QUEUE', 'TEMPORAL_PAYLOAD_KEYS']);

/** A client's key, certificate or profile there is for another server than the embedded one. */
function withoutTemporalClient(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith('TEMPORAL_') || OURS.has(name)),
  );
}
