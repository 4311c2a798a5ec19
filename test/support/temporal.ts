/** Temporal for a test file: the run's shared dev server, or a time-skipping server of its own. */
import { randomUUID } from 'node:crypto';

import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';

import type { ProductionPrograms } from '../../dev/temporal/production-programs.ts';
import { readWorkflowBundle, type WorkflowCode } from '../../src/worker/workflow-bundle.ts';
import { askRun } from './ask-run.ts';
import { startTimeSkippingProgram, type TimedServer } from './time-skipping-server.ts';

/** What a test needs from a Temporal server. Tests on a shared one use their own task queues. */
export interface TestTemporal {
  readonly client: Client;
  readonly connection: NativeConnection;
  readonly address: string;
  close(): Promise<void>;
}

/** A real server, shared by the run; started when it is first requested. */
export async function useDevServer(): Promise<TestTemporal> {
  return connectTo(await askRun('dev-server'));
}

/** Connects to a server that a test has started itself. */
export async function connectTo(
  address: string,
  tls?: Exclude<ConnectionOptions['tls'], undefined>,
): Promise<TestTemporal> {
  quietRuntime();
  const options = { address, ...(tls !== undefined && { tls }) };
  const clientConnection = await Connection.connect(options);
  const connection = await NativeConnection.connect(options);
  return {
    client: new Client({ connection: clientConnection }),
    connection,
    address,
    async close() {
      await clientConnection.close();
      await connection.close();
    },
  };
}

/** The path of the dev server's program, for a test that stops and starts one. */
export function findDevServerProgram(): Promise<string> {
  return askRun('dev-server-program');
}

/**
 * A file for WORKFLOW_BUNDLE, made once for the run: with it, a worker process starts in half the
 * time.
 */
export function findWorkflowBundle(): Promise<string> {
  return askRun('workflow-bundle');
}

/** The paths of the production server's programs; building them takes minutes, once per machine. */
export async function findProductionPrograms(): Promise<ProductionPrograms> {
  return JSON.parse(await askRun('production-programs'));
}

/** The path of the Web UI's own server. */
export function findTemporalUiProgram(): Promise<string> {
  return askRun('temporal-ui-program');
}

/**
 * A server that skips time while nothing is to be done, but none while a delivery is armed:
 * for this file alone, because its time is everybody's.
 */
export async function startTimeSkippingServer(): Promise<TimedServer> {
  quietRuntime();
  return startTimeSkippingProgram(await askRun('test-server-program'));
}

export function uniqueTaskQueue(): string {
  return `test-${randomUUID()}`;
}

/** The workflows, bundled once for the run. */
export async function useWorkflowBundle(): Promise<WorkflowCode> {
  quietRuntime();
  return readWorkflowBundle(await findWorkflowBundle());
}

const QUIET = new DefaultLogger('ERROR');

function quietRuntime(): void {
  try {
    const logging = { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } as const;
    Runtime.install({ logger: QUIET, shutdownSignals: [], telemetryOptions: { logging } });
  } catch {
    // Installed already: there is one per process.
  }
}
