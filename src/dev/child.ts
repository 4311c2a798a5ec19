/** One supervised process: started, waited for, started again when it dies, stopped. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { askUntilReady, exitOf, isRunning, killGroup, saysReady } from './child-process.ts';

export type ChildState = 'starting' | 'ready' | 'down';

export interface ChildSpec {
  readonly name: string;
  /** Starts the process, in a process group of its own, with its output in pipes. */
  spawn(): ChildProcess;
  /** Whether it can be used, asked again and again; without it the process says so by IPC. */
  readiness?(): Promise<boolean>;
  readonly readyWithinMs: number;
  /** Stages are stopped one after the other, the lowest first. */
  readonly stopStage: number;
  readonly stopSignal: NodeJS.Signals;
  readonly stopWithinMs: number;
  /** For when that takes too long, or nobody wants to wait. */
  readonly killSignal: NodeJS.Signals;
}

export interface ChildEvents {
  onSpawn(child: ChildProcess): void;
  onState(state: ChildState): void;
  /** One line of its output. */
  onLine(line: string): void;
  /** It died and will be started again. */
  onDeath(reason: string, restartInMs: number): void;
  /** It will not be started again: the reason, and the last it said. */
  onGivenUp(failure: ChildFailure): void;
}

export interface ChildFailure {
  readonly reason: string;
  /** Settings are not usable: starting again would not help. */
  readonly misconfigured: boolean;
  readonly lastLines: readonly string[];
}

export interface Child {
  readonly spec: ChildSpec;
  /**
   * Starts it, and keeps it running until it is stopped. Resolves when it is ready for the
   * first time, rejects when it is stopped before.
   */
  start(): Promise<void>;
  /** Asks it to stop, and kills it when it takes too long. Resolves when it is gone. */
  stop(): Promise<void>;
  /** Ends it now. */
  kill(): void;
  /** Sends a message by IPC, to a process that has it. */
  send(message: object): void;
}

/** EX_CONFIG of sysexits.h, with which Daybell's processes refuse their settings. */
const EXIT_CONFIG = 78;
/** Three, so that one unlucky start does not end everything, and a broken one does soon. */
const DEATHS_BEFORE_FIRST_READY = 3;
const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 30_000;
/** Who ran for so long starts with the shortest wait again. */
const STABLE_AFTER_MS = 60_000;
const KILL_LIMIT_MS = 5_000;
const LINES_KEPT = 30;

export function createChild(spec: ChildSpec, events: ChildEvents): Child {
  const stopping = new AbortController();
  const firstReady = Promise.withResolvers<void>();
  firstReady.promise.catch(() => {});
  const lines: string[] = [];
  let everReady = false;
  let current: { readonly child: ChildProcess; readonly exited: Promise<string> } | null = null;
  let life: Promise<void> = Promise.resolve();

  async function live(): Promise<void> {
    let deaths = 0;
    let backoffMs = BACKOFF_MIN_MS;
    while (!stopping.signal.aborted) {
      const { reason, readyForMs, misconfigured } = await liveOnce();
      events.onState('down');
      if (stopping.signal.aborted) return;
      deaths += 1;
      if (misconfigured || (!everReady && deaths >= DEATHS_BEFORE_FIRST_READY)) {
        events.onGivenUp({ reason, misconfigured, lastLines: lines });
        return;
      }
      if (readyForMs >= STABLE_AFTER_MS) backoffMs = BACKOFF_MIN_MS;
      events.onDeath(reason, backoffMs);
      await sleep(backoffMs, undefined, { signal: stopping.signal }).catch(() => {});
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
    }
  }

  async function liveOnce(): Promise<{
    reason: string;
    readyForMs: number;
    misconfigured: boolean;
  }> {
    events.onState('starting');
    // What counts is what it says this time.
    lines.length = 0;
    const child = spec.spawn();
    const exited = exitOf(child);
    current = { child, exited };
    if (child.pid !== undefined) events.onSpawn(child);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', keepLine);
    }

    const readyAt = await becomeReady(child, exited);
    if (readyAt === null && isRunning(child) && !stopping.signal.aborted) {
      killNow(child, exited);
      const reason = `was not ready within ${spec.readyWithinMs / 1000} s`;
      await exited;
      return { reason, readyForMs: 0, misconfigured: false };
    }
    const reason = await exited;
    return {
      reason,
      readyForMs: readyAt === null ? 0 : Date.now() - readyAt,
      misconfigured: child.exitCode === EXIT_CONFIG,
    };
  }

  /** When it was ready, or null when it died or took too long. */
  async function becomeReady(child: ChildProcess, exited: Promise<string>): Promise<number | null> {
    const over = new AbortController();
    const ready =
      spec.readiness === undefined ? saysReady(child) : askUntilReady(spec.readiness, over.signal);
    const limit = sleep(spec.readyWithinMs, false, { signal: over.signal }).catch(() => false);
    const gone = exited.then(() => false);
    const isReady = await Promise.race([ready, limit, gone]);
    over.abort();
    if (!isReady || stopping.signal.aborted) return null;
    everReady = true;
    events.onState('ready');
    firstReady.resolve();
    return Date.now();
  }

  function keepLine(line: string): void {
    lines.push(line);
    if (lines.length > LINES_KEPT) lines.shift();
    events.onLine(line);
  }

  function killNow(child: ChildProcess, exited: Promise<string>): void {
    child.kill(spec.killSignal);
    const last = setTimeout(() => killGroup(child), KILL_LIMIT_MS);
    void exited.then(() => clearTimeout(last));
  }

  return {
    spec,
    start() {
      life = live();
      return firstReady.promise;
    },
    async stop() {
      stopping.abort();
      firstReady.reject(new Error(`${spec.name} was stopped`));
      if (current !== null && isRunning(current.child)) {
        const { child, exited } = current;
        child.kill(spec.stopSignal);
        const patience = setTimeout(() => killNow(child, exited), spec.stopWithinMs);
        await exited;
        clearTimeout(patience);
      }
      await life;
    },
    kill() {
      stopping.abort();
      if (current !== null && isRunning(current.child)) killNow(current.child, current.exited);
    },
    send(message) {
      // It may be going away at this moment: then there is nobody to tell.
      if (current?.child.connected === true) current.child.send(message, () => {});
    },
  };
}
