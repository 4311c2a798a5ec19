/** Daybell's own processes in a bench: the real entry points, with their logs in files. */
import { execFile, fork } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { type ChildSpec, NICENESS } from '../../dev/child.ts';
import type { Installation, ProcessGroup } from './installation.ts';

export interface DaybellTarget {
  readonly databaseUrl: string;
  readonly webhookUrl: string;
  readonly webhookSecret: string;
  /** A folder for the processes' logs. */
  readonly logDir: string;
}

export interface DaybellProcesses {
  /** The environment of each process, besides the settings that it is started with. */
  readonly environment: NodeJS.ProcessEnv;
  /** Also records the settings that decide dates, which every process uses. */
  migrate(settings?: Readonly<Record<string, string>>): Promise<void>;
  /** Starts one process for each name, with settings that override the defaults. */
  start(names: readonly ServiceName[], settings: Readonly<Record<string, string>>): Promise<void>;
  /** Stops the processes, the last started first. */
  stop(): Promise<void>;
}

const SOURCE = join(import.meta.dirname, '..', '..', 'src');
const ENTRIES = {
  api: 'api/main.ts',
  scheduler: 'planning/main.ts',
  worker: 'worker/main.ts',
  dispatcher: 'delivery/main.ts',
} as const;

export type ServiceName = keyof typeof ENTRIES;

/** The names of this many dispatchers, for `start`. */
export function dispatchers(count: number): ServiceName[] {
  return Array.from({ length: count }, () => 'dispatcher');
}

/** Bundling the workflows takes long on a busy machine. */
const READY_LIMIT_MS = 180_000;
const STOP_LIMIT_MS = 30_000;

export function startDaybellProcesses(
  installation: Installation,
  target: DaybellTarget,
): DaybellProcesses {
  const environment = environmentOf(installation, target);
  const groups: ProcessGroup[] = [];
  const started: string[] = [];
  return {
    environment,
    async migrate(settings = {}) {
      const entry = join(SOURCE, 'cli', 'migrate.ts');
      await promisify(execFile)(process.execPath, [entry], {
        env: { ...environment, ...settings },
      });
    },
    async start(names, settings) {
      const env = { ...environment, ...settings };
      const specs = names.map((name, index) => {
        const earlier = names.slice(0, index).filter((other) => other === name).length;
        const processName = earlier === 0 ? name : `${name}-${earlier + 1}`;
        started.push(processName);
        return specOf(name, processName, env, target.logDir);
      });
      groups.push(await installation.start(specs));
    },
    async stop() {
      for (const group of groups.splice(0).toReversed()) await group.stop();
      // Their numbers may belong to other processes after a while.
      for (const name of started.splice(0)) installation.processes.delete(name);
    },
  };
}

function specOf(
  service: ServiceName,
  name: string,
  env: NodeJS.ProcessEnv,
  logDir: string,
): ChildSpec {
  return {
    name,
    // As under `npm start`.
    niceness: NICENESS[service],
    spawn() {
      // A file, not a pipe: reading a line for each delivery would be measured too.
      const log = openSync(join(logDir, `${name}.log`), 'a');
      const child = fork(join(SOURCE, ENTRIES[service]), [], {
        env,
        detached: true,
        stdio: ['ignore', log, log, 'ipc'],
      });
      closeSync(log);
      return child;
    },
    readyWithinMs: READY_LIMIT_MS,
    stopSignal: 'SIGTERM',
    stopWithinMs: STOP_LIMIT_MS,
    killSignal: 'SIGKILL',
  };
}

/** Settings from the shell are passed on, so that they can be tried out; locations are not. */
function environmentOf(
  { machine, temporal, dataDir }: Installation,
  { databaseUrl, webhookUrl, webhookSecret }: DaybellTarget,
): NodeJS.ProcessEnv {
  const given = Object.entries(machine.environment).filter(
    ([name]) => !name.startsWith('TEMPORAL_'),
  );
  return {
    ...Object.fromEntries(given),
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
    // Each database is an installation of its own, and several of them share the server.
    TEMPORAL_TASK_QUEUE: new URL(databaseUrl).pathname.slice(1),
    // A file that does not exist, so that no user's profile affects the measurement.
    TEMPORAL_CONFIG_FILE: join(dataDir, 'no-temporal-profile.toml'),
    WEBHOOK_URL: webhookUrl,
    WEBHOOK_SECRETS: webhookSecret,
    WEBHOOK_ALLOW_PRIVATE: 'true',
  };
}
