/**
 * Which processes run on a DATA_DIR, written down so that a start after a crash can end
 * what is left of the one before, and nothing else.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { z } from 'zod';

import { identifyProcess } from './process-identity.ts';

const entrySchema = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  identity: z.string(),
  stopSignal: z.string(),
  stopStage: z.number(),
});

export interface ProcessEntry extends z.output<typeof entrySchema> {}

export interface ProcessRecord {
  /** Called at once after a process was started; the last of the same name is replaced. */
  add(entry: Omit<ProcessEntry, 'identity'>): void;
  /** After an orderly end: nothing is left. */
  clear(): void;
}

/** What the record of the last start names and still runs: the very processes, not their numbers. */
export function readLeftovers(dataDir: string): ProcessEntry[] {
  return readEntries(dataDir).filter((entry) => identifyProcess(entry.pid) === entry.identity);
}

/** The process that is, or was, in charge of this DATA_DIR. */
export function readSupervisorPid(dataDir: string): number | null {
  return readEntries(dataDir).find((entry) => entry.name === SUPERVISOR)?.pid ?? null;
}

/** Begins a new record, with this process in charge. Writes are synchronous: no crash falls between. */
export function createProcessRecord(dataDir: string): ProcessRecord {
  const entries = new Map<string, ProcessEntry>();
  const add = (entry: Omit<ProcessEntry, 'identity'>): void => {
    const identity = identifyProcess(entry.pid);
    if (identity === null) return;
    entries.set(entry.name, { ...entry, identity });
    const file = fileIn(dataDir);
    writeFileSync(`${file}.new`, `${JSON.stringify([...entries.values()], null, 2)}\n`, {
      mode: 0o600,
    });
    renameSync(`${file}.new`, file);
  };
  add({ name: SUPERVISOR, pid: process.pid, stopSignal: 'SIGTERM', stopStage: -1 });
  return {
    add,
    clear: () => rmSync(fileIn(dataDir), { force: true }),
  };
}

const SUPERVISOR = 'supervisor';

function fileIn(dataDir: string): string {
  return join(dataDir, 'processes.json');
}

function readEntries(dataDir: string): ProcessEntry[] {
  try {
    return entrySchema.array().parse(JSON.parse(readFileSync(fileIn(dataDir), 'utf8')));
  } catch {
    // None, or none of ours.
    return [];
  }
}
