/**
 * How a production Temporal server, whose four services share one process, is told what to do:
 * by the variables of the configuration that is built into it, as its image is.
 */
import { fileURLToPath } from 'node:url';

import { TEMPORAL_DATABASES } from './production-schema.ts';

/** What is the same wherever it runs. docker-compose.temporal.yml has the same, kept so by a test. */
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
  /** How long the histories of runs that have ended are kept, for whoever looks into one. */
  retentionDays: 3,
} as const;

/** The limits that Daybell's herd needs raised, each with its reason. */
export const DYNAMIC_CONFIG = fileURLToPath(
  new URL('../../../deploy/temporal/dynamicconfig.yaml', import.meta.url),
);

export interface TemporalPlace {
  /** What its services listen on. */
  readonly bindOn: string;
  /** A PostgreSQL, whose user owns the server's two databases. */
  readonly postgresUrl: string;
  /** The limits, re-read while it runs. */
  readonly dynamicConfig: string;
  /** Where it tells its metrics, `host:port`. */
  readonly metrics?: string;
  readonly historyShards?: number;
  /** With which it talks to nobody without a certificate of this authority; plain when not given. */
  readonly tls?: TemporalCertificates;
}

/** Paths of PEM files. */
export interface TemporalCertificates {
  readonly authority: string;
  /** For `serverName`; the services show it to each other, too. */
  readonly certificate: string;
  readonly key: string;
  readonly serverName: string;
}

/** The variables of one server; among them is the database's password. */
export function temporalEnvironment(place: TemporalPlace): Record<string, string> {
  const { connections, visibilityConnections, historyShards } = TEMPORAL_SETTINGS;
  const [workflows, visibility] = TEMPORAL_DATABASES;
  const { hostname, port, username, password } = new URL(place.postgresUrl);
  return {
    LOG_LEVEL: 'warn',
    // Who reaches it may do anything: it is for a network of its own.
    TEMPORAL_ALLOW_NO_AUTH: 'true',
    // It prepares its statements once a connection: half the round trips of `postgres12`.
    DB: 'postgres12_pgx',
    POSTGRES_SEEDS: hostname,
    DB_PORT: port || '5432',
    POSTGRES_USER: decodeURIComponent(username),
    POSTGRES_PWD: decodeURIComponent(password),
    DBNAME: workflows.database,
    VISIBILITY_DBNAME: visibility.database,
    NUM_HISTORY_SHARDS: String(place.historyShards ?? historyShards),
    SQL_MAX_CONNS: String(connections),
    SQL_MAX_IDLE_CONNS: String(connections),
    SQL_VIS_MAX_CONNS: String(visibilityConnections),
    SQL_VIS_MAX_IDLE_CONNS: String(visibilityConnections),
    BIND_ON_IP: place.bindOn,
    DYNAMIC_CONFIG_FILE_PATH: place.dynamicConfig,
    ...(place.metrics !== undefined && { PROMETHEUS_ENDPOINT: place.metrics }),
    ...(place.tls !== undefined && tlsEnvironment(place.tls)),
  };
}

function tlsEnvironment(tls: TemporalCertificates): Record<string, string> {
  const { authority, certificate, key, serverName } = tls;
  return {
    TEMPORAL_TLS_REQUIRE_CLIENT_AUTH: 'true',
    TEMPORAL_TLS_SERVER_CA_CERT: authority,
    TEMPORAL_TLS_SERVER_CERT: certificate,
    TEMPORAL_TLS_SERVER_KEY: key,
    TEMPORAL_TLS_INTERNODE_SERVER_NAME: serverName,
    TEMPORAL_TLS_FRONTEND_CERT: certificate,
    TEMPORAL_TLS_FRONTEND_KEY: key,
    TEMPORAL_TLS_FRONTEND_SERVER_NAME: serverName,
    TEMPORAL_TLS_CLIENT1_CA_CERT: authority,
  };
}

export interface TemporalPorts {
  /** What clients and workers connect to. */
  readonly frontend: number;
  /** The same API as JSON over HTTP. */
  readonly http: number;
  /** Between the services: two for each of the four, but the frontend's first is above. */
  readonly internal: readonly number[];
}

/** How many ports `TemporalPorts.internal` has. */
export const INTERNAL_PORTS = 7;

/** Other ports than the server's own, for one that shares its machine with others. */
export function temporalPortsEnvironment(ports: TemporalPorts): Record<string, string> {
  const names = [
    'FRONTEND_MEMBERSHIP_PORT',
    'HISTORY_GRPC_PORT',
    'HISTORY_MEMBERSHIP_PORT',
    'MATCHING_GRPC_PORT',
    'MATCHING_MEMBERSHIP_PORT',
    'WORKER_GRPC_PORT',
    'WORKER_MEMBERSHIP_PORT',
  ];
  return {
    FRONTEND_GRPC_PORT: String(ports.frontend),
    FRONTEND_HTTP_PORT: String(ports.http),
    ...Object.fromEntries(names.map((name, index) => [name, String(ports.internal[index])])),
  };
}
