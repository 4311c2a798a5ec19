/**
 * What all contenders of a bench share: PostgreSQL, Temporal and the receiver, started and stopped
 * by the bench itself, with the code that `npm start` uses.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { readMachine, type Machine } from '../../src/platform/settings/machine.ts';
import type { ChildSpec } from '../../dev/child.ts';
import { takeDataDir } from '../../dev/data-dir.ts';
import { freePorts } from '../../dev/ports.ts';
import { prepareEmbeddedPostgres } from '../../dev/postgres/embedded.ts';
import type { ProcessRecord } from '../../dev/process-record.ts';
import { createSupervisor, type Supervisor } from '../../dev/supervisor.ts';
import { temporalConnections } from '../../dev/temporal/production.ts';
import { emptyFolder } from './empty-folder.ts';
import { prepareTemporal, type TemporalKind } from './temporal.ts';
import { connectDatabases, type Databases } from './databases.ts';
import type { Progress } from './progress.ts';
import { startReceiver, type Receiver } from './receiver.ts';
import { benchTerminal } from './terminal.ts';
import { sleepUntil } from './until.ts';

export interface InstallationOptions {
  readonly temporal: TemporalKind;
  /** Emptied at the start. */
  readonly dataDir: string;
  /** For the production server only, like the next one. */
  readonly temporalNodes?: number;
  readonly historyShards?: number;
  readonly sharedBuffers?: string | undefined;
  /** As of a ChildSpec. */
  readonly temporalNiceness: number;
  readonly progress: Progress;
}

export interface Installation {
  readonly machine: Machine;
  readonly dataDir: string;
  readonly databases: Databases;
  readonly temporal: { readonly kind: TemporalKind; readonly address: string };
  readonly receiver: Receiver;
  /** The processes that run at this moment: their numbers by name. */
  readonly processes: Map<string, number>;
  /** Bytes that Temporal keeps on disk. */
  temporalBytes(): Promise<number>;
  /** Starts processes, and keeps them running until they are stopped. */
  start(specs: readonly ChildSpec[]): Promise<ProcessGroup>;
  /**
   * Sends kill -9 to the process of this name at an instant, epoch ms, and for this many ms to each
   * one that the supervisor starts in its place: 1, 3, 6, 10, 15 … s after the first died.
   */
  killAt(name: string, at: number, downMs?: number): void;
  /** Stops everything. */
  stop(): Promise<void>;
}

export type ProcessGroup = Pick<Supervisor, 'stop'>;

/** Daybell's pools, the contenders', and the bench's own. */
const CONNECTIONS = 150;
/** A server does not get far in this time. */
const KILL_AGAIN_MS = 50;

export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const { progress } = options;
  const machine = readMachine();
  const taken = await takeDataDir(options.dataDir, progress.say);
  const { dataDir } = taken;
  await emptyFolder(dataDir);

  const processes = new Map([['bench', process.pid]]);
  const record = recordingIn(processes, taken);
  const terminal = benchTerminal(progress, join(dataDir, 'processes.log'));
  const supervisors: Supervisor[] = [];
  const start = async (specs: readonly ChildSpec[]): Promise<Supervisor> => {
    const supervisor = createSupervisor({ terminal, record });
    supervisors.push(supervisor);
    const failed = supervisor.failed.then((error) => Promise.reject(error));
    await Promise.race([supervisor.start(specs), failed]);
    return supervisor;
  };
  const endings: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of endings.splice(0)) await end();
    for (const supervisor of supervisors.splice(0).toReversed()) await supervisor.stop();
    record.clear();
  };

  try {
    const [postgresPort = 0] = await freePorts(1);
    const postgres = await prepareEmbeddedPostgres({
      dataDir,
      port: postgresPort,
      connections: CONNECTIONS + temporalConnections(options.temporalNodes ?? 1),
      sharedBuffers: options.sharedBuffers,
      onProgress: progress.say,
    });
    await start([postgres.child]);
    const temporal = await prepareTemporal({
      ...options,
      machine,
      dataDir,
      postgresUrl: postgres.url,
    });
    const niceness = options.temporalNiceness;
    await start(temporal.children.map((child) => ({ ...child, niceness })));
    const databases = await connectDatabases(postgres.url);
    endings.push(databases.close);
    const receiver = await startReceiver();
    endings.push(receiver.stop);
    processes.set('receiver', receiver.pid);
    return {
      machine,
      dataDir,
      databases,
      temporal,
      receiver,
      processes,
      temporalBytes: () => temporalBytes(options.temporal, dataDir, databases),
      start,
      killAt(name, at, downMs = 0) {
        void killFor(processes, name, at, downMs);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function killFor(
  processes: ReadonlyMap<string, number>,
  name: string,
  at: number,
  downMs: number,
): Promise<void> {
  await sleepUntil(at);
  let last: number | undefined;
  do {
    const pid = processes.get(name);
    if (pid !== undefined && pid !== last) process.kill(pid, 'SIGKILL');
    last = pid;
    await sleep(KILL_AGAIN_MS);
  } while (Date.now() < at + downMs);
}

function recordingIn(processes: Map<string, number>, record: ProcessRecord): ProcessRecord {
  return {
    ...record,
    add(entry) {
      processes.set(entry.name, entry.pid);
      record.add(entry);
    },
  };
}

async function temporalBytes(
  kind: TemporalKind,
  dataDir: string,
  databases: Databases,
): Promise<number> {
  if (kind === 'postgres') {
    return (await databases.sizeOf('temporal')) + (await databases.sizeOf('temporal_visibility'));
  }
  const files = ['temporal.db', 'temporal.db-wal'].map((name) => join(dataDir, name));
  const sizes = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
