/**
 * The production Temporal server, natively, on the PostgreSQL that is there: what a
 * self-hosted installation runs, on one machine.
 */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { ChildSpec } from './child.ts';
import { freePorts, HIGHEST_PORT } from './free-ports.ts';
import { StartError } from './start-error.ts';
import { INTERNAL_PORTS, temporalConfig } from './temporal-production-config.ts';
import type { ProductionPrograms } from './temporal-production-programs.ts';
import { setUpTemporalSchema } from './temporal-production-schema.ts';

export interface ProductionTemporalOptions {
  readonly programs: ProductionPrograms;
  /** Absolute; the configuration is written there. */
  readonly dataDir: string;
  /** A PostgreSQL that runs; the server makes two databases of its own in it. */
  readonly postgresUrl: string;
  /** What clients and workers connect to. */
  readonly port: number;
  /** The same API as JSON over HTTP. */
  readonly httpPort: number;
  /** Fixed for ever by the first start; `HISTORY_SHARDS` when not given. */
  readonly historyShards?: number;
  readonly onProgress: (line: string) => void;
}

/**
 * A shard is a lock: the changes of the workflows in it are written one after the other.
 * 512 is what Temporal advises for a small production cluster; it cannot be changed later,
 * and it carries tens of times what two cores can do. Idle shards cost some memory.
 */
export const HISTORY_SHARDS = 512;
/** Two cores keep about ten statements busy; the rest wait for the disk. */
const CONNECTIONS = 40;
const VISIBILITY_CONNECTIONS = 10;
/** What PostgreSQL needs room for. */
export const TEMPORAL_CONNECTIONS = CONNECTIONS + VISIBILITY_CONNECTIONS;

const NAMESPACE = 'default';
/** How long the histories of runs that have ended are kept, for whoever looks into one. */
const RETENTION_SECONDS = 3 * 24 * 3_600;
const READY_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 30_000;
const ASK_LIMIT_MS = 2_000;

/**
 * Brings its databases up to date and writes its configuration; starts nothing.
 *
 * @throws StartError when a port is too high for it, or a schema cannot be set up
 */
export async function prepareProductionTemporal(
  options: ProductionTemporalOptions,
): Promise<ChildSpec> {
  const { programs, dataDir, postgresUrl, port, httpPort } = options;
  refuseHighPort(port);
  await setUpTemporalSchema(programs.sqlTool, postgresUrl, options.onProgress);
  const configFile = join(dataDir, 'temporal-server.yaml');
  const config = temporalConfig({
    ports: { frontend: port, http: httpPort, internal: await freePorts(INTERNAL_PORTS) },
    postgresUrl,
    historyShards: options.historyShards ?? HISTORY_SHARDS,
    connections: CONNECTIONS,
    visibilityConnections: VISIBILITY_CONNECTIONS,
  });
  await writeFile(configFile, config, { mode: 0o600 });
  return {
    name: 'temporal',
    stopStage: 3,
    spawn: () =>
      spawn(programs.server, ['--config-file', configFile, '--allow-no-auth', 'start'], {
        cwd: dataDir,
        env: { PATH: '/usr/bin:/bin' },
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    readiness: () => ensureNamespace(`http://127.0.0.1:${httpPort}/api/v1/namespaces`),
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
  const found = await ask(`${namespaces}/${NAMESPACE}`);
  if (found === 404) {
    await ask(namespaces, {
      namespace: NAMESPACE,
      workflowExecutionRetentionPeriod: `${RETENTION_SECONDS}s`,
    });
  }
  if (found !== 200) return false;
  // The services learn of a new one only after a while.
  return (await ask(`${namespaces}/${NAMESPACE}/workflow-count`)) === 200;
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
