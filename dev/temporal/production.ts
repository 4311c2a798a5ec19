/**
 * The production Temporal server, natively, on a PostgreSQL that is running: what a self-hosted
 * installation has, on one machine. Its four services share one process, configured by the
 * variables of the configuration that is built into it, as its image is.
 */
import { fileURLToPath } from 'node:url';

import { type ChildSpec, NICENESS } from '../child.ts';
import { freePorts } from '../ports.ts';
import { runCommand } from '../run-command.ts';
import { SERVER_PATH, serverProcess, statusOf } from '../server-process.ts';
import { StartError } from '../start-error.ts';
import type { ProductionPrograms } from './production-programs.ts';

/** What is the same wherever it runs. docker-compose.temporal.yml has the same; a test compares. */
export const TEMPORAL_SETTINGS = {
  /**
   * A shard is a lock: the changes of the workflows in it are written one after the other.
   * 512 is what Temporal advises for a small production cluster; it cannot be changed later,
   * and it carries tens of times what two cores can do. Idle shards cost some memory.
   */
  historyShards: 512,
  /** Two cores keep about ten statements busy; the rest wait for the disk. */
  connections: 40,
  visibilityConnections: 10,
  namespace: 'default',
  /** How long the histories of ended runs are kept. */
  retentionDays: 3,
} as const;

export interface ProductionTemporalOptions {
  readonly programs: ProductionPrograms;
  /** Its working directory. */
  readonly dataDir: string;
  /** A PostgreSQL that is running; the server has two databases of its own in it. */
  readonly postgresUrl: string;
  /** What clients and workers connect to. */
  readonly port: number;
  /** The same API as JSON over HTTP. */
  readonly httpPort: number;
  /** More variables of its configuration. `readiness` cannot ask a server with TLS. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onProgress: (line: string) => void;
}

const DEPLOY = fileURLToPath(new URL('../../deploy/temporal/', import.meta.url));
const LOOPBACK = '127.0.0.1';
const DAY_SECONDS = 24 * 3_600;
/** The tool runs a few dozen statements; one that hangs waits for a lock. */
const SCHEMA_LIMIT_MS = 5 * 60_000;
/** Each of the four services listens on two ports. */
const PORTS = ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER'].flatMap((service) => [
  `${service}_GRPC_PORT`,
  `${service}_MEMBERSHIP_PORT`,
]);

/**
 * Brings its databases up to date; starts nothing.
 *
 * @throws StartError when a schema cannot be set up
 */
export async function prepareProductionTemporal(
  options: ProductionTemporalOptions,
): Promise<ChildSpec> {
  const { programs, dataDir, postgresUrl, port, httpPort } = options;
  options.onProgress("Bringing Temporal's databases up to date.");
  await setUpSchema(programs.sqlTool, postgresUrl);
  const ports = await freePorts(PORTS.length);
  return serverProcess({
    name: 'temporal',
    niceness: NICENESS.temporal,
    program: programs.server,
    args: ['start'],
    cwd: dataDir,
    env: {
      ...temporalEnvironment(postgresUrl),
      BIND_ON_IP: LOOPBACK,
      // The limits that Daybell's herd needs raised, each with its reason.
      DYNAMIC_CONFIG_FILE_PATH: `${DEPLOY}dynamicconfig.yaml`,
      ...Object.fromEntries(PORTS.map((name, index) => [name, String(ports[index])])),
      FRONTEND_GRPC_PORT: String(port),
      FRONTEND_HTTP_PORT: String(httpPort),
      ...options.environment,
    },
    readiness: () => ensureNamespace(`http://${LOOPBACK}:${httpPort}/api/v1/namespaces`),
  });
}

/** The variables that are the same wherever it runs, the database's password among them. */
export function temporalEnvironment(postgresUrl: string): Record<string, string> {
  const { connections, visibilityConnections, historyShards } = TEMPORAL_SETTINGS;
  const { hostname, port, username, password } = new URL(postgresUrl);
  return {
    LOG_LEVEL: 'warn',
    // Anyone who reaches it may do anything: it belongs in a network of its own.
    TEMPORAL_ALLOW_NO_AUTH: 'true',
    // It prepares its statements once a connection: half the round trips of `postgres12`.
    DB: 'postgres12_pgx',
    POSTGRES_SEEDS: hostname,
    DB_PORT: port || '5432',
    POSTGRES_USER: decodeURIComponent(username),
    POSTGRES_PWD: decodeURIComponent(password),
    DBNAME: 'temporal',
    VISIBILITY_DBNAME: 'temporal_visibility',
    NUM_HISTORY_SHARDS: String(historyShards),
    SQL_MAX_CONNS: String(connections),
    SQL_MAX_IDLE_CONNS: String(connections),
    SQL_VIS_MAX_CONNS: String(visibilityConnections),
    SQL_VIS_MAX_IDLE_CONNS: String(visibilityConnections),
  };
}

/** By the script that the compose file runs. The user in the URL must be allowed to create databases. */
async function setUpSchema(sqlTool: string, postgresUrl: string): Promise<void> {
  const { hostname, port, username, password } = new URL(postgresUrl);
  const result = await runCommand('/bin/sh', [`${DEPLOY}set-up-schema.sh`], {
    env: {
      PATH: SERVER_PATH,
      SQL_TOOL: sqlTool,
      SQL_PLUGIN: 'postgres12',
      SQL_HOST: hostname,
      SQL_PORT: port || '5432',
      SQL_USER: decodeURIComponent(username),
      SQL_PASSWORD: decodeURIComponent(password),
    },
    timeoutMs: SCHEMA_LIMIT_MS,
  });
  if (result.ok) return;
  throw new StartError(
    [
      `Temporal's databases could not be brought up to date (${result.problem}):`,
      ...result.output.trim().split('\n').slice(-10),
    ].join('\n  '),
  );
}

/** Whether workflows can be started in the namespace, which is created if it is missing. */
async function ensureNamespace(namespaces: string): Promise<boolean> {
  const { namespace, retentionDays } = TEMPORAL_SETTINGS;
  const found = await statusOf(`${namespaces}/${namespace}`);
  if (found === 404) {
    await statusOf(namespaces, {
      namespace,
      workflowExecutionRetentionPeriod: `${retentionDays * DAY_SECONDS}s`,
    });
  }
  if (found !== 200) return false;
  // The services learn of a new one only after a while.
  return (await statusOf(`${namespaces}/${namespace}/workflow-count`)) === 200;
}
