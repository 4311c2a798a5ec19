/**
 * Records which processes run on a DATA_DIR, in a file: a second start sees the first, and a start
 * after a crash ends the orphans of the previous one, and nothing else.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { identifyProcess } from './process-identity.ts';
import { StartError } from './start-error.ts';

export interface ProcessEntry {
  readonly name: string;
  readonly pid: number;
  readonly identity: string;
  readonly stopSignal: NodeJS.Signals;
}

export interface ProcessRecord {
  /** The folder, absolute. */
  readonly dataDir: string;
  /** Call it as soon as a process is started; replaces the last one with that name. */
  add(entry: Omit<ProcessEntry, 'identity'>): void;
  /** Call it when nothing runs any more: another start may have the folder. */
  clear(): void;
}

const SUPERVISOR = 'supervisor';
/** Longer than PostgreSQL's fast shutdown takes; then it is killed. */
const STOP_LIMIT_MS = 10_000;
const LOOK_EVERY_MS = 50;

/**
 * Begins the record of a folder with this process in charge, after ending what a previous
 * supervisor that was killed has left running.
 *
 * @throws StartError if another supervisor runs on the folder
 */
export async function takeOver(
  dataDir: string,
  say: (line: string) => void,
): Promise<ProcessRecord> {
  const orphans = readRunning(dataDir);
  const other = orphans.find(({ name }) => name === SUPERVISOR);
  if (other !== undefined) {
    throw new StartError(
      `Daybell already runs on DATA_DIR ${dataDir} (process ${other.pid}). Stop that one first, or set DATA_DIR, PORT and the *_DEV_PORT settings for a second one.`,
    );
  }
  if (orphans.length > 0) {
    const names = orphans.map(({ name, pid }) => `${name} (process ${pid})`).join(', ');
    say(`The last start did not end in order. Stopping what it left running: ${names}.`);
    await Promise.all(orphans.map(stop));
  }
  return createRecord(dataDir);
}

/**
 * The running processes that the record of a folder names; not others that have their numbers now.
 */
export function readRunning(dataDir: string): ProcessEntry[] {
  try {
    const entries: ProcessEntry[] = JSON.parse(readFileSync(fileIn(dataDir), 'utf8'));
    return entries.filter(isRunning);
  } catch {
    // There is no record, or it cannot be read.
    return [];
  }
}

/** Writes are synchronous: no crash falls between starting a process and recording it. */
function createRecord(dataDir: string): ProcessRecord {
  const entries = new Map<string, ProcessEntry>();
  const record: ProcessRecord = {
    dataDir,
    add(entry) {
      const identity = identifyProcess(entry.pid);
      if (identity === null) return;
      entries.set(entry.name, { ...entry, identity });
      const file = fileIn(dataDir);
      writeFileSync(`${file}.new`, `${JSON.stringify([...entries.values()], null, 2)}\n`);
      renameSync(`${file}.new`, file);
    },
    clear: () => rmSync(fileIn(dataDir), { force: true }),
  };
  record.add({ name: SUPERVISOR, pid: process.pid, stopSignal: 'SIGTERM' });
  return record;
}

async function stop(entry: ProcessEntry): Promise<void> {
  signal(entry, entry.stopSignal);
  const deadline = Date.now() + STOP_LIMIT_MS;
  while (isRunning(entry)) {
    if (Date.now() > deadline) signal(entry, 'SIGKILL');
    await sleep(LOOK_EVERY_MS);
  }
}

function signal({ pid }: ProcessEntry, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended in the meantime.
  }
}

function isRunning({ pid, identity }: ProcessEntry): boolean {
  return identifyProcess(pid) === identity;
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'processes.json');
}
