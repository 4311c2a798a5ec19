/**
 * Daybell as users run it: `dev/main.ts` with all its processes, on free ports and with its own
 * data.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { onTestFinished } from 'vitest';

import { freePorts } from '../../dev/ports.ts';
import { identifyProcess } from '../../dev/process-identity.ts';
import { readRunning, type ProcessEntry } from '../../dev/process-record.ts';
import { runProcess, type TestProcess } from './process.ts';
import { findWorkflowBundle } from './temporal.ts';

export interface RunningDaybell {
  /** Of the API. */
  readonly url: string;
  /** The address in a row of the banner, or nothing. */
  addressIn(row: string): string;
  /** Where greetings are sent. */
  readonly receiver: string;
  /** Of Temporal's Web UI, which serves Temporal's HTTP API too. */
  readonly webUi: string;
  /** Epoch ms at which it reported that it was ready. */
  readonly readyAt: number;
  readonly terminal: TestProcess;
  /** The supervisor and everything it runs at this moment. */
  processes(): ProcessEntry[];
  /** The one of this name, at this moment. */
  process(name: string): ProcessEntry;
  /** kill -9, to all of them at once. */
  killAll(): Promise<void>;
}

/** Of `npm start`, and of `npm run stack`. */
export type Entry = 'dev/main.ts' | 'dev/stack/main.ts';
const PORTS = [
  'PORT',
  'POSTGRES_DEV_PORT',
  'TEMPORAL_DEV_PORT',
  'TEMPORAL_DEV_UI_PORT',
  'RECEIVER_DEV_PORT',
  'PROMETHEUS_DEV_PORT',
] as const;
const ANY_PORTS = Object.fromEntries(PORTS.map((name) => [name, '0']));

/**
 * A folder that goes when the test is over, and with it whatever still runs on it. Tests
 * that run side by side hand in their own `onTestFinished`.
 */
export async function temporaryDataDir(
  whenFinished: (cleanUp: () => Promise<void>) => void = onTestFinished,
): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'daybell-e2e-'));
  const dataDir = join(parent, 'data');
  whenFinished(async () => {
    await killProcesses(readRunning(dataDir));
    await killProcesses(readRunning(stackDataDir({ DATA_DIR: dataDir })));
    await rm(parent, { recursive: true, force: true });
  });
  return dataDir;
}

/** Runs the command without npm; does not wait for anything. */
export function runDaybell(settings: NodeJS.ProcessEnv, entry: Entry = 'dev/main.ts'): TestProcess {
  return runProcess(entry, { ...placesOnThisMachine(), ...ANY_PORTS, ...settings });
}

/**
 * Starts Daybell, with the workflows already bundled, and waits until it reports that it is ready.
 */
export async function startDaybell(
  settings: NodeJS.ProcessEnv & { readonly DATA_DIR: string },
  entry?: Entry,
): Promise<RunningDaybell> {
  // The system may hand out those chosen for 0 again, to any connection, until they are listened
  // on.
  const ports = await freePorts(PORTS.length);
  const terminal = runDaybell(
    {
      WORKFLOW_BUNDLE: await findWorkflowBundle(),
      ...Object.fromEntries(PORTS.map((name, index) => [name, String(ports[index])])),
      ...settings,
    },
    entry,
  );
  await terminal.line(/Ctrl-C stops everything/);
  const addressIn = (row: string): string =>
    /http:\/\/[\d.]+:\d+/.exec(
      terminal.lines.find((line) => line.startsWith(`  ${row} `)) ?? '',
    )?.[0] ?? '';
  const dataDir = entry === 'dev/stack/main.ts' ? stackDataDir(settings) : settings.DATA_DIR;
  const processes = (): ProcessEntry[] => readRunning(dataDir);
  return {
    url: addressIn('API'),
    addressIn,
    webUi: addressIn('Web UI'),
    receiver: addressIn('Greetings'),
    readyAt: Date.now(),
    terminal,
    processes,
    process(name) {
      const found = processes().find((entry) => entry.name === name);
      if (found === undefined) throw new Error(`${name} does not run`);
      return found;
    },
    killAll: () => killProcesses(processes()),
  };
}

/** Those of the given ones that still run. */
export function stillRunning(processes: readonly ProcessEntry[]): string[] {
  return processes
    .filter((entry) => identifyProcess(entry.pid) === entry.identity)
    .map(({ name }) => name);
}

async function killProcesses(processes: readonly ProcessEntry[]): Promise<void> {
  for (const { pid } of processes) process.kill(pid, 'SIGKILL');
  while (stillRunning(processes).length > 0) await sleep(20);
}

/** Where the stack keeps what it stores. */
function stackDataDir({ DATA_DIR }: { readonly DATA_DIR: string }): string {
  return join(DATA_DIR, 'stack');
}

/** Where the Temporal dev server's program is kept. */
function placesOnThisMachine(): NodeJS.ProcessEnv {
  const { HOME, XDG_CACHE_HOME } = process.env;
  return { ...(HOME && { HOME }), ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }) };
}
