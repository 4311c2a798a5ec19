/** One supervised process: started, awaited, restarted when it dies, stopped. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export type ChildState = 'starting' | 'ready' | 'down';

export interface ChildSpec {
  readonly name: string;
  /** Starts the process in a process group of its own, with its output in pipes. */
  spawn(): ChildProcess;
  /** Whether it can be used, asked repeatedly; without this the process says so by IPC. */
  readiness?(): Promise<boolean>;
  readonly readyWithinMs: number;
  /** The lowest stage is stopped first. */
  readonly stopStage: number;
  readonly stopSignal: NodeJS.Signals;
  readonly stopWithinMs: number;
  /** For when stopping takes longer than that. */
  readonly killSignal: NodeJS.Signals;
}

export interface ChildEvents {
  onSpawn(pid: number): void;
  onState(state: ChildState): void;
  /** One line of its output. */
  onLine(line: string): void;
  /** It died and will be restarted. */
  onDeath(reason: string, restartInMs: number): void;
  /** It will not be restarted. */
  onGivenUp(failure: ChildFailure): void;
}

export interface ChildFailure {
  readonly reason: string;
  /** It refused its settings: a restart would not help. */
  readonly misconfigured: boolean;
  readonly lastLines: readonly string[];
}

export type Child = ReturnType<typeof createChild>;

/** EX_CONFIG of sysexits.h, with which Daybell's processes refuse their settings. */
const EXIT_CONFIG = 78;
/** One unlucky start does not end everything, and a broken program soon does. */
const DEATHS_BEFORE_FIRST_READY = 3;
const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 30_000;
/** After running for so long, the backoff starts again at its minimum. */
const STABLE_AFTER_MS = 60_000;
const ASK_EVERY_MS = 100;
const LINES_KEPT = 30;

export function createChild(spec: ChildSpec, events: ChildEvents) {
  const stopping = new AbortController();
  const firstReady = Promise.withResolvers<void>();
  firstReady.promise.catch(() => {});
  let lastLines: string[] = [];
  let everReady = false;
  let current: { readonly child: ChildProcess; readonly exited: Promise<string> } | null = null;
  let running: Promise<void> = Promise.resolve();

  async function keepRunning(): Promise<void> {
    let backoffMs = BACKOFF_MIN_MS;
    for (let deaths = 1; !stopping.signal.aborted; deaths += 1) {
      const { reason, readyForMs, misconfigured } = await runOnce();
      events.onState('down');
      if (stopping.signal.aborted) return;
      if (misconfigured || (!everReady && deaths >= DEATHS_BEFORE_FIRST_READY)) {
        events.onGivenUp({ reason, misconfigured, lastLines });
        return;
      }
      if (readyForMs >= STABLE_AFTER_MS) backoffMs = BACKOFF_MIN_MS;
      events.onDeath(reason, backoffMs);
      await sleep(backoffMs, undefined, { signal: stopping.signal }).catch(() => {});
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
    }
  }

  /** From its start to its end. */
  async function runOnce() {
    events.onState('starting');
    lastLines = [];
    const child = spec.spawn();
    const exited = exitOf(child);
    current = { child, exited };
    if (child.pid !== undefined) events.onSpawn(child.pid);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', keepLine);
    }
    const over = new AbortController();
    const isReady = await Promise.race([
      spec.readiness === undefined ? saysReady(child) : askUntilReady(spec.readiness, over.signal),
      sleep(spec.readyWithinMs, false, { signal: over.signal }).catch(() => false),
      exited.then(() => false),
    ]);
    over.abort();
    const readyAt = Date.now();
    const tookTooLong = !isReady && isRunning(child) && !stopping.signal.aborted;
    if (tookTooLong) child.kill(spec.killSignal);
    if (isReady && !stopping.signal.aborted) {
      everReady = true;
      events.onState('ready');
      firstReady.resolve();
    }
    const ended = await exited;
    return {
      reason: tookTooLong ? `was not ready within ${spec.readyWithinMs / 1000} s` : ended,
      readyForMs: isReady ? Date.now() - readyAt : 0,
      misconfigured: child.exitCode === EXIT_CONFIG,
    };
  }

  function keepLine(line: string): void {
    lastLines.push(line);
    if (lastLines.length > LINES_KEPT) lastLines.shift();
    events.onLine(line);
  }

  return {
    spec,
    /**
     * Starts it, and keeps it running until it is stopped. Resolves when it is ready for the first
     * time, rejects when it is stopped before.
     */
    start(): Promise<void> {
      running = keepRunning();
      return firstReady.promise;
    },
    /** Asks it to stop, and kills it when that takes too long. Resolves when it is gone. */
    async stop(): Promise<void> {
      stopping.abort();
      firstReady.reject(new Error(`${spec.name} was stopped`));
      if (current !== null && isRunning(current.child)) {
        const { child, exited } = current;
        child.kill(spec.stopSignal);
        const patience = setTimeout(() => child.kill(spec.killSignal), spec.stopWithinMs);
        await exited;
        clearTimeout(patience);
      }
      await running;
    },
    /** Ends it now. */
    kill(): void {
      stopping.abort();
      current?.child.kill(spec.killSignal);
    },
    /** Sends a message by IPC, if the process takes any. */
    send(message: object): void {
      // It may be going away at this moment: then nobody needs the message.
      if (current?.child.connected === true) current.child.send(message, () => {});
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** How it ended, in words, once its last output is in. */
function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(`could not be started: ${error.message}`);
    });
    child.once('close', (code, signal) => {
      resolve(signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`);
    });
  });
}

function saysReady(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    child.on('message', (message: { readonly type?: unknown }) => {
      if (message.type === 'ready') resolve(true);
    });
  });
}

async function askUntilReady(ask: () => Promise<boolean>, over: AbortSignal): Promise<boolean> {
  while (!over.aborted) {
    if (await ask()) return true;
    await sleep(ASK_EVERY_MS, undefined, { signal: over }).catch(() => {});
  }
  return false;
}
