/** The life of everything that one command starts: one DATA_DIR, one supervisor, one orderly end. */
import type { Machine } from '../platform/settings/machine.ts';
import type { Settings } from '../platform/settings/settings.ts';
import { takeDataDir } from './data-dir.ts';
import { stopLeftovers } from './leftovers.ts';
import { createProcessRecord } from './process-record.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';
import type { Terminal } from './terminal.ts';

export interface StartContext {
  readonly settings: Settings;
  readonly machine: Machine;
  readonly terminal: Terminal;
  /** Aborted when the person wants it stopped. */
  readonly stopRequested: AbortSignal;
  /** Aborted when they do not want to wait for that. */
  readonly killRequested: AbortSignal;
}

/** What there is to start with. */
export interface Place {
  /** Absolute, and held by this process. */
  readonly dataDir: string;
  readonly supervisor: Supervisor;
  /** Aborted when nothing more is to be started. */
  readonly over: AbortSignal;
}

/** Starts all there is to start, in its order; resolves when everything is ready. */
export type StartAll = (context: StartContext, place: Place) => Promise<void>;

/** Runs it until it is asked to stop or fails; nothing is left running either way. */
export async function runSupervised(context: StartContext, startAll: StartAll): Promise<void> {
  const { settings, terminal } = context;
  const dataDir = await takeDataDir(settings.DATA_DIR);
  try {
    await stopLeftovers(dataDir.path, terminal.say);
    const record = createProcessRecord(dataDir.path);
    const supervisor = createSupervisor({ terminal, record });
    context.killRequested.addEventListener('abort', () => supervisor.kill());
    const over = new AbortController();
    const stopRequested = untilAborted(context.stopRequested);
    const failed = supervisor.failed.then((error) => Promise.reject(error));
    const place = { dataDir: dataDir.path, supervisor, over: over.signal };
    const starting = startAll(context, place);
    try {
      await Promise.race([starting, stopRequested, failed]);
      await Promise.race([stopRequested, failed]);
      terminal.say('stopping: requests on the wire end first; Ctrl-C once more ends it all');
    } finally {
      over.abort();
      await supervisor.stop();
      await starting.catch(() => {});
      record.clear();
    }
  } finally {
    dataDir.release();
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
