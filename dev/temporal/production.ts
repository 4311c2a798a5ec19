/**
 * The production Temporal server, natively, on a PostgreSQL that is running: what a self-hosted
 * installation has, on one machine.
 */
import { fileURLToPath } from 'node:url';

import type { ChildSpec } from '../child.ts';
import { freePorts } from '../ports.ts';
import { serverProcess, statusOf } from '../server-process.ts';
import { TEMPORAL_SETTINGS, temporalEnvironment } from './production-environment.ts';
import type { ProductionPrograms } from './production-programs.ts';
import { setUpTemporalSchema } from './production-schema.ts';

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
  /** Where Prometheus finds its metrics; nowhere when not given. */
  readonly metricsPort?: number;
  /** Fixed for ever by the first start; that of `TEMPORAL_SETTINGS` when not given. */
  readonly historyShards?: number;
  /** More variables of its configuration. `readiness` cannot ask a server with TLS. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onProgress: (line: string) => void;
}

/** The limits that Daybell's herd needs raised, each with its reason. */
const DYNAMIC_CONFIG = fileURLToPath(
  new URL('../../deploy/temporal/dynamicconfig.yaml', import.meta.url),
);
const LOOPBACK = '127.0.0.1';
const DAY_SECONDS = 24 * 3_600;
/** Between the services: two for each of the four, but the frontend's first is `port`. */
const INTERNAL_PORTS = [
  'FRONTEND_MEMBERSHIP_PORT',
  'HISTORY_GRPC_PORT',
  'HISTORY_MEMBERSHIP_PORT',
  'MATCHING_GRPC_PORT',
  'MATCHING_MEMBERSHIP_PORT',
  'WORKER_GRPC_PORT',
  'WORKER_MEMBERSHIP_PORT',
];

/**
 * Brings its databases up to date; starts nothing.
 *
 * @throws StartError when a schema cannot be set up
 */
export async function prepareProductionTemporal(
  options: ProductionTemporalOptions,
): Promise<ChildSpec> {
  const { programs, dataDir, postgresUrl, port, httpPort, metricsPort } = options;
  await setUpTemporalSchema(programs.sqlTool, postgresUrl, options.onProgress);
  const internalPorts = await freePorts(INTERNAL_PORTS.length);
  return serverProcess({
    name: 'temporal',
    stopStage: 3,
    program: programs.server,
    args: ['start'],
    cwd: dataDir,
    env: {
      ...temporalEnvironment({
        ...options,
        bindOn: LOOPBACK,
        dynamicConfig: DYNAMIC_CONFIG,
        ...(metricsPort !== undefined && { metrics: `${LOOPBACK}:${metricsPort}` }),
      }),
      FRONTEND_GRPC_PORT: String(port),
      FRONTEND_HTTP_PORT: String(httpPort),
      ...Object.fromEntries(
        INTERNAL_PORTS.map((name, index) => [name, String(internalPorts[index])]),
      ),
      ...options.environment,
    },
    readiness: () => ensureNamespace(`http://${LOOPBACK}:${httpPort}/api/v1/namespaces`),
  });
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
