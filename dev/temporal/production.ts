/**
 * The production Temporal server, natively, on a running PostgreSQL: what a self-hosted
 * installation has, on one machine. It is configured by the variables of its built-in
 * configuration, like its image. Its four services share one process, or form a cluster: each
 * service in its own processes, as Temporal's Helm charts run them.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { type ChildSpec, NICENESS } from '../child.ts';
import { freePorts } from '../ports.ts';
import { runCommand } from '../run-command.ts';
import { SERVER_PATH, serverProcess, statusOf } from '../server-process.ts';
import { StartError } from '../start-error.ts';
import { isServing } from './health.ts';
import type { ProductionPrograms } from './production-programs.ts';

/**
 * The settings that are the same everywhere. docker-compose.temporal.yml repeats them; a test
 * compares.
 */
export const TEMPORAL_SETTINGS = {
  /**
   * A shard is a lock: the changes of the workflows in it are written one after the other, each in
   * a few ms, so that 64 write more than one PostgreSQL can. It cannot be changed later. 512, as
   * Temporal advises for a small production cluster, cost a fifth more CPU a workflow, and 160 MB
   * (docs/scalability.md).
   */
  historyShards: 64,
  /** Two cores keep about ten statements busy; the others wait for the disk. */
  connections: 40,
  visibilityConnections: 10,
  namespace: 'default',
  /** How long the histories of ended runs are kept. */
  retentionDays: 3,
} as const;

/** The server's services, each with the name under which it reports its health. */
const SERVICES = {
  frontend: 'WorkflowService',
  history: 'HistoryService',
  matching: 'MatchingService',
  worker: 'WorkerService',
} as const;
type Service = keyof typeof SERVICES;
const ALL_SERVICES = Object.keys(SERVICES) as Service[];

export interface ProductionTemporalOptions {
  readonly programs: ProductionPrograms;
  /** Its working directory. */
  readonly dataDir: string;
  /** A running PostgreSQL; the server has two databases of its own in it. */
  readonly postgresUrl: string;
  /** The port that clients and workers connect to. */
  readonly port: number;
  /** From 2 on, a cluster with this many processes of each service; see `nodesOf`. */
  readonly nodes?: number;
  /** Whether its processes serve metrics. */
  readonly hasMetrics?: boolean;
  /** More variables of its configuration. A server with TLS never counts as ready. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onProgress: (line: string) => void;
}

export interface ProductionTemporal {
  /** To be started all at once. */
  readonly children: readonly ChildSpec[];
  readonly nodes: readonly TemporalNode[];
}

/** One process of the server, and its ports on this machine. */
export interface TemporalNode {
  readonly name: string;
  /** The gRPC port of its first service. */
  readonly port: number;
  readonly metricsPort: number;
}

const DEPLOY = fileURLToPath(new URL('../../deploy/temporal/', import.meta.url));
const BALANCER = join(import.meta.dirname, 'balancer-main.ts');
const LOOPBACK = '127.0.0.1';
const DAY_SECONDS = 24 * 3_600;
/** The tool runs a few dozen statements; one that hangs is waiting for a lock. */
const SCHEMA_LIMIT_MS = 5 * 60_000;
/** Two for each service, one for the HTTP API, one for metrics. */
const MOST_PORTS_OF_A_NODE = 2 * ALL_SERVICES.length + 2;

/**
 * Migrates its databases; starts nothing.
 *
 * @throws StartError if a schema cannot be set up
 */
export async function prepareProductionTemporal(
  options: ProductionTemporalOptions,
): Promise<ProductionTemporal> {
  const { programs, dataDir, postgresUrl, port, nodes: count = 1 } = options;
  options.onProgress("Bringing Temporal's databases up to date.");
  await setUpSchema(programs.sqlTool, postgresUrl);
  const nodes = nodesOf(count);
  const ports = await freePorts(MOST_PORTS_OF_A_NODE * nodes.length);
  const prepared = nodes.map((node) => prepareNode(options, node, () => ports.pop() ?? 0));
  const children = prepared.map(({ child }) => child);
  if (count > 1) {
    const frontends = prepared.filter(({ service }) => service === 'frontend');
    children.push(
      serverProcess({
        name: 'temporal-balancer',
        program: process.execPath,
        args: [BALANCER, ...[port, ...frontends.map((node) => node.port)].map(String)],
        cwd: dataDir,
        readiness: () => isServing(`${LOOPBACK}:${port}`, SERVICES.frontend),
      }),
    );
  }
  return { children, nodes: prepared };
}

/**
 * The processes: one for everything, or this many for each service. There is only one of `worker`:
 * it runs Temporal's own workflows, and their work waits until it is back.
 */
export function nodesOf(count: number): { name: string; services: readonly Service[] }[] {
  if (count === 1) return [{ name: 'temporal', services: ALL_SERVICES }];
  return ALL_SERVICES.flatMap((service) =>
    Array.from({ length: service === 'worker' ? 1 : count }, (_, index) => ({
      name: `temporal-${service}-${index + 1}`,
      services: [service],
    })),
  );
}

/** How many connections to PostgreSQL it opens at most. */
export function temporalConnections(nodes: number): number {
  const { connections, visibilityConnections } = poolsOf(nodes);
  return nodesOf(nodes).length * (connections + visibilityConnections);
}

/** Connections of each process. Processes of one service share what it has when it is alone. */
function poolsOf(nodes: number) {
  const { connections, visibilityConnections } = TEMPORAL_SETTINGS;
  return {
    connections: Math.ceil(connections / nodes),
    visibilityConnections: Math.ceil(visibilityConnections / nodes),
  };
}

function prepareNode(
  options: ProductionTemporalOptions,
  { name, services }: ReturnType<typeof nodesOf>[number],
  nextPort: () => number,
): TemporalNode & { readonly service: Service; readonly child: ChildSpec } {
  const { nodes = 1, hasMetrics = false, programs, dataDir, postgresUrl } = options;
  const [service = 'frontend', ...others] = services;
  // In a cluster, the balancer listens where clients connect.
  const port = nodes === 1 ? options.port : nextPort();
  const [httpPort, metricsPort] = [nextPort(), nextPort()];
  const child = serverProcess({
    name,
    niceness: NICENESS.temporal,
    program: programs.server,
    args: ['start', ...services.flatMap((service) => ['--service', service])],
    cwd: dataDir,
    env: {
      ...temporalEnvironment(postgresUrl, nodes),
      BIND_ON_IP: LOOPBACK,
      // Where the others reach it: they find it in a table of the database.
      TEMPORAL_BROADCAST_ADDRESS: LOOPBACK,
      CLUSTER_RPC_ADDRESS: `${LOOPBACK}:${options.port}`,
      // The limits that Daybell's herd needs raised, each with its reason.
      DYNAMIC_CONFIG_FILE_PATH: `${DEPLOY}dynamicconfig.yaml`,
      ...portSettings(service, port, nextPort()),
      ...Object.assign({}, ...others.map((each) => portSettings(each, nextPort(), nextPort()))),
      FRONTEND_HTTP_PORT: String(httpPort),
      ...(hasMetrics && { PROMETHEUS_ENDPOINT: `${LOOPBACK}:${metricsPort}` }),
      ...options.environment,
    },
    readiness: () =>
      service === 'frontend'
        ? ensureNamespace(`http://${LOOPBACK}:${httpPort}/api/v1/namespaces`)
        : isServing(`${LOOPBACK}:${port}`, SERVICES[service]),
  });
  return { name, service, port, metricsPort, child };
}

function portSettings(service: Service, grpc: number, membership: number): Record<string, string> {
  const prefix = service.toUpperCase();
  return {
    [`${prefix}_GRPC_PORT`]: String(grpc),
    [`${prefix}_MEMBERSHIP_PORT`]: String(membership),
  };
}

/** The variables that are the same everywhere, the database's password among them. */
export function temporalEnvironment(postgresUrl: string, nodes = 1): Record<string, string> {
  const { connections, visibilityConnections } = poolsOf(nodes);
  const { hostname, port, username, password } = new URL(postgresUrl);
  return {
    LOG_LEVEL: 'warn',
    // Anyone who reaches it may do anything: it belongs in a network of its own.
    TEMPORAL_ALLOW_NO_AUTH: 'true',
    // It prepares its statements once per connection: half the round trips of `postgres12`.
    DB: 'postgres12_pgx',
    POSTGRES_SEEDS: hostname,
    DB_PORT: port || '5432',
    POSTGRES_USER: decodeURIComponent(username),
    POSTGRES_PWD: decodeURIComponent(password),
    DBNAME: 'temporal',
    VISIBILITY_DBNAME: 'temporal_visibility',
    NUM_HISTORY_SHARDS: String(TEMPORAL_SETTINGS.historyShards),
    SQL_MAX_CONNS: String(connections),
    SQL_MAX_IDLE_CONNS: String(connections),
    SQL_VIS_MAX_CONNS: String(visibilityConnections),
    SQL_VIS_MAX_IDLE_CONNS: String(visibilityConnections),
  };
}

/**
 * With the script that the compose file runs. The user in the URL must be allowed to create
 * databases.
 */
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
  // The services learn about a new namespace only after a while.
  return (await statusOf(`${namespaces}/${namespace}/workflow-count`)) === 200;
}
