/**
 * The production Temporal server, natively, on the PostgreSQL that is there: what a
 * self-hosted installation runs, on one machine.
 */
import { spawn } from 'node:child_process';

import type { ChildSpec } from '../child.ts';
import { freePorts, HIGHEST_PORT } from '../free-ports.ts';
import { StartError } from '../start-error.ts';
import {
  DYNAMIC_CONFIG,
  INTERNAL_PORTS,
  TEMPORAL_SETTINGS,
  temporalEnvironment,
  temporalPortsEnvironment,
  type TemporalCertificates,
} from './production-environment.ts';
import type { ProductionPrograms } from './production-programs.ts';
import { setUpTemporalSchema } from './production-schema.ts';

export interface ProductionTemporalOptions {
  readonly programs: ProductionPrograms;
  /** Its working directory. */
  readonly dataDir: string;
  /** A PostgreSQL that runs; the server makes two databases of its own in it. */
  readonly postgresUrl: string;
  /** What clients and workers connect to. */
  readonly port: number;
  /** The same API as JSON over HTTP. */
  readonly httpPort: number;
  /** Where Prometheus finds its metrics; nowhere when not given. */
  readonly metricsPort?: number;
  /** Fixed for ever by the first start; `TEMPORAL_SETTINGS` has it when not given. */
  readonly historyShards?: number;
  /** `readiness` cannot ask a server that has them. */
  readonly tls?: TemporalCertificates;
  readonly onProgress: (line: string) => void;
}

/** What PostgreSQL needs room for. */
export const TEMPORAL_CONNECTIONS =
  TEMPORAL_SETTINGS.connections + TEMPORAL_SETTINGS.visibilityConnections;

const LOOPBACK = '127.0.0.1';
const DAY_SECONDS = 24 * 3_600;
const READY_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 30_000;
const ASK_LIMIT_MS = 2_000;

/**
 * Brings its databases up to date; starts nothing.
 *
 * @throws StartError when a port is too high for it, or a schema cannot be set up
 */
export async function prepareProductionTemporal(
  options: ProductionTemporalOptions,
): Promise<ChildSpec> {
  const { programs, dataDir, postgresUrl, port, httpPort, metricsPort } = options;
  refuseHighPort(port);
  await setUpTemporalSchema(programs.sqlTool, postgresUrl, options.onProgress);
  const environment = {
    ...temporalEnvironment({
      ...options,
      bindOn: LOOPBACK,
      dynamicConfig: DYNAMIC_CONFIG,
      ...(metricsPort !== undefined && { metrics: `${LOOPBACK}:${metricsPort}` }),
    }),
    ...temporalPortsEnvironment({
      frontend: port,
      http: httpPort,
      internal: await freePorts(INTERNAL_PORTS),
    }),
  };
  return {
    name: 'temporal',
    stopStage: 3,
    spawn: () =>
      spawn(programs.server, ['start'], {
        cwd: dataDir,
        env: { PATH: '/usr/bin:/bin', ...environment },
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    readiness: () => ensureNamespace(`http://${LOOPBACK}:${httpPort}/api/v1/namespaces`),
    readyWithinMs: READY_LIMIT_MS,
    stopSignal: 'SIGTERM',
    stopWithinMs: STOP_LIMIT_MS,
    killSignal: 'SIGKILL',
  };
}

/** The table in which its services find each other has a signed 16-bit column for it. */
function refuseHighPort(port: number): void {
  if (port <= HIGHEST_PORT) return;
  throw new StartError(
    `The Temporal server cannot listen on port ${port}: must be ${HIGHEST_PORT} at the most.`,
  );
}

/** Whether workflows can be started in the namespace, which is made when there is none. */
async function ensureNamespace(namespaces: string): Promise<boolean> {
  const { namespace, retentionDays } = TEMPORAL_SETTINGS;
  const found = await ask(`${namespaces}/${namespace}`);
  if (found === 404) {
    await ask(namespaces, {
      namespace,
      workflowExecutionRetentionPeriod: `${retentionDays * DAY_SECONDS}s`,
    });
  }
  if (found !== 200) return false;
  // The services learn of a new one only after a while.
  return (await ask(`${namespaces}/${namespace}/workflow-count`)) === 200;
}

/** The status of the answer, or null. */
async function ask(url: string, body?: object): Promise<number | null> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(ASK_LIMIT_MS),
      ...(body !== undefined && {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return null;
  }
}
