import { setTimeout as sleep } from 'node:timers/promises';

import { identifyProcess } from './process-identity.ts';
import { readLeftovers, type ProcessEntry } from './process-record.ts';

/** Longer than PostgreSQL's fast shutdown takes here; who is not gone then is killed. */
const STOP_LIMIT_MS = 10_000;
const LOOK_EVERY_MS = 50;

/**
 * Ends what a start before this one left running on this DATA_DIR, in the order of an
 * orderly stop. Call it only while holding the folder's lock.
 */
export async function stopLeftovers(
  dataDir: string,
  onProgress: (line: string) => void,
): Promise<void> {
  const leftovers = readLeftovers(dataDir);
  if (leftovers.length === 0) return;
  onProgress(
    `The last start did not end in order. Stopping what it left running: ${leftovers.map(({ name, pid }) => `${name} (process ${pid})`).join(', ')}.`,
  );
  const stages = Map.groupBy(leftovers, (entry) => entry.stopStage);
  for (const stage of [...stages.keys()].sort((a, b) => a - b)) {
    await Promise.all((stages.get(stage) ?? []).map(end));
  }
}

async function end(entry: ProcessEntry): Promise<void> {
  signal(entry, entry.stopSignal as NodeJS.Signals);
  const deadline = Date.now() + STOP_LIMIT_MS;
  while (isRunning(entry)) {
    if (Date.now() > deadline) signal(entry, 'SIGKILL');
    await sleep(LOOK_EVERY_MS);
  }
}

function signal(entry: ProcessEntry, name: NodeJS.Signals): void {
  if (!isRunning(entry)) return;
  try {
    process.kill(entry.pid, name);
  } catch {
    // It ended between the look and the signal.
  }
}

function isRunning(entry: ProcessEntry): boolean {
  return identifyProcess(entry.pid) === entry.identity;
}
