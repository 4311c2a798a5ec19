/**
 * How a production Temporal server, whose four services share one process, is configured: by the
 * variables of the configuration that is built into it, as its image is.
 */
import { TEMPORAL_DATABASES } from './production-schema.ts';

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

export interface TemporalPlace {
  /** What its services listen on. */
  readonly bindOn: string;
  /** A PostgreSQL, whose user owns the server's two databases. */
  readonly postgresUrl: string;
  /** A file of limits, re-read while it runs. */
  readonly dynamicConfig: string;
  /** Where it serves its metrics, `host:port`. */
  readonly metrics?: string;
  readonly historyShards?: number;
}

/** The variables of one server, the database's password among them. */
export function temporalEnvironment(place: TemporalPlace): Record<string, string> {
  const { connections, visibilityConnections, historyShards } = TEMPORAL_SETTINGS;
  const [workflows, visibility] = TEMPORAL_DATABASES;
  const { hostname, port, username, password } = new URL(place.postgresUrl);
  return {
    LOG_LEVEL: 'warn',
    // Whoever reaches it may do anything: it is for a network of its own.
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
  };
}
