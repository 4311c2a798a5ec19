/** The configuration file of a production Temporal server whose four services share one process. */
import { fileURLToPath } from 'node:url';

import { TEMPORAL_DATABASES } from './temporal-production-schema.ts';

export interface TemporalPorts {
  /** What clients and workers connect to. */
  readonly frontend: number;
  /** The same API as JSON over HTTP. */
  readonly http: number;
  /** Between the services: two for each of the four, but the frontend's first is above. */
  readonly internal: readonly number[];
}

export interface TemporalConfigOptions {
  readonly ports: TemporalPorts;
  /** Whose user owns the server's two databases. */
  readonly postgresUrl: string;
  readonly historyShards: number;
  /** Connections to the database of workflows, and to that of lists. */
  readonly connections: number;
  readonly visibilityConnections: number;
}

/** How many ports `TemporalPorts.internal` has. */
export const INTERNAL_PORTS = 7;

/** The limits that Daybell's herd needs raised, each with its reason. */
export const DYNAMIC_CONFIG = fileURLToPath(
  new URL('../../deploy/temporal/dynamicconfig.yaml', import.meta.url),
);

/** The file's content, in JSON, which is YAML too. It holds the database's password. */
export function temporalConfig(options: TemporalConfigOptions): string {
  const { ports, historyShards, connections, visibilityConnections } = options;
  const [workflows, visibility] = TEMPORAL_DATABASES;
  const [frontendMembership, ...rest] = ports.internal;
  const [historyGrpc, historyMembership, matchingGrpc, matchingMembership] = rest;
  const [workerGrpc, workerMembership] = rest.slice(4);
  const config = {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'default',
      visibilityStore: 'visibility',
      numHistoryShards: historyShards,
      datastores: {
        default: { sql: store(options, workflows.database, connections) },
        visibility: { sql: store(options, visibility.database, visibilityConnections) },
      },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    services: {
      frontend: service(ports.frontend, frontendMembership, { httpPort: ports.http }),
      history: service(historyGrpc, historyMembership),
      matching: service(matchingGrpc, matchingMembership),
      worker: service(workerGrpc, workerMembership),
    },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `127.0.0.1:${ports.frontend}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    // The operator's hand: it is read again while the server runs.
    dynamicConfigClient: { filepath: DYNAMIC_CONFIG, pollInterval: '10s' },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function service(grpcPort?: number, membershipPort?: number, more: { httpPort?: number } = {}) {
  return { rpc: { grpcPort, membershipPort, bindOnLocalHost: true, ...more } };
}

function store({ postgresUrl }: TemporalConfigOptions, databaseName: string, maxConns: number) {
  const { hostname, port, username, password } = new URL(postgresUrl);
  return {
    // It prepares its statements once a connection: half the round trips of `postgres12`.
    pluginName: 'postgres12_pgx',
    databaseName,
    connectAddr: `${hostname}:${port || '5432'}`,
    connectProtocol: 'tcp',
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    maxConns,
    maxIdleConns: maxConns,
    maxConnLifetime: '1h',
  };
}
