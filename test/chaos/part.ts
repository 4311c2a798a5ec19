/** One process of a run: killed with -9 and started again, whatever state it is in. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that was started. */
export interface Started {
  readonly pid: number;
  /** Resolves when it is gone. */
  readonly ended: Promise<unknown>;
  /** Resolves when it can be used; may never. */
  readonly ready: Promise<unknown>;
  kill(signal: NodeJS.Signals): void;
}

export interface Part {
  readonly name: string;
  /** Starts it, and keeps it running; resolves when it is ready. */
  start(): Promise<void>;
  /** kill -9, and a new one after so many ms, without waiting for it to be ready; false when none runs. */
  kill(downMs: number): Promise<boolean>;
  /** Stops the one that runs now from running for so many ms (SIGSTOP); false when none runs. */
  suspend(forMs: number): Promise<boolean>;
  /** Resolves when the one that runs now is ready, and has been for so many ms. */
  ready(forMs?: number): Promise<void>;
  stop(): Promise<void>;
  /** How often it ended without being killed. */
  readonly deaths: number;
}

/** As a supervisor would wait. */
const RESTART_MS = 1_000;
const STOP_WITHIN_MS = 20_000;

export function createPart(name: string, spawn: () => Started, stopSignal: NodeJS.Signals): Part {
  let current: Started | null = null;
  let stopping = false;
  let deaths = 0;
  let downMs = 0;
  let killed: Started | null = null;
  /** Of the current one, by `performance.now`. */
  let readySince = Infinity;

  const run = (): void => {
    const process = spawn();
    current = process;
    readySince = Infinity;
    const noteReady = (): void => {
      if (current === process) readySince = performance.now();
    };
    process.ready.then(noteReady, () => {});
    void runAgainAfter(process);
  };

  const runAgainAfter = async (process: Started): Promise<void> => {
    await process.ended;
    if (current === process) current = null;
    if (stopping) return;
    if (killed !== process) deaths += 1;
    await sleep(killed === process ? downMs : RESTART_MS);
    if (!stopping) run();
  };

  const ready = async (forMs = 0): Promise<void> => {
    for (;;) {
      const process = current;
      if (stopping) return;
      const isReady =
        process !== null &&
        (await Promise.race([
          process.ready
            .then(() => sleep(Math.max(readySince + forMs - performance.now(), 0), true))
            .catch(() => sleep(100, false)),
          process.ended.then(() => false),
        ]));
      if (isReady && current === process) return;
      await sleep(50);
    }
  };

  return {
    name,
    ready,
    start() {
      run();
      return ready();
    },
    async kill(ms) {
      if (current === null) return false;
      killed = current;
      downMs = ms;
      current.kill('SIGKILL');
      await killed.ended;
      return true;
    },
    async suspend(forMs) {
      const process = current;
      if (process === null) return false;
      process.kill('SIGSTOP');
      await sleep(forMs);
      process.kill('SIGCONT');
      return true;
    },
    async stop() {
      stopping = true;
      const process = current;
      if (process === null) return;
      process.kill(stopSignal);
      const patience = setTimeout(() => process.kill('SIGKILL'), STOP_WITHIN_MS);
      await process.ended;
      clearTimeout(patience);
    },
    get deaths() {
      return deaths;
    },
  };
}

/** The end of a child process, as a promise. */
export function endOf(child: NodeJS.EventEmitter): Promise<unknown> {
  return once(child, 'exit');
}
