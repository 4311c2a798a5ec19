/** One supervised process: started, awaited, restarted when it dies, stopped. */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ProcessRecord } from './process-record.ts';
import { StartError } from './start-error.ts';
import type { Terminal } from './terminal.ts';

export type ChildState = 'starting' | 'ready' | 'down';

/**
 * Which processes come first if there are not enough cores for all: a request should take
 * milliseconds, a herd of webhooks takes seconds, and nobody waits for the rest.
 */
export const NICENESS = {
  receiver: 0,
  api: 0,
  dispatcher: 5,
  worker: 10,
  scheduler: 10,
  temporal: 10,
};

export interface ChildSpec {
  readonly name: string;
  /** Starts the process in a process group of its own, with its output in pipes. */
  spawn(): ChildProcess;
  /** Whether it can be used, polled; without this, the process reports it by IPC. */
  readiness?(): Promise<boolean>;
  readonly readyWithinMs: number;
  readonly stopSignal: NodeJS.Signals;
  readonly stopWithinMs: number;
  /** Used if stopping takes longer than that. */
  readonly killSignal: NodeJS.Signals;
  /**
   * How far others take precedence if there are not enough cores for all: 0, the default, to 19.
   */
  readonly niceness?: number;
}

export interface ChildOptions {
  readonly terminal: Terminal;
  readonly record: ProcessRecord;
  readonly onState: (state: ChildState) => void;
  /** It will not be restarted. */
  readonly onGivenUp: (error: StartError) => void;
}

export type Child = ReturnType<typeof createChild>;

/** EX_CONFIG of sysexits.h: the exit code when Daybell's processes refuse their settings. */
const EXIT_CONFIG = 78;
/** One failed start does not end everything, but a broken program soon does. */
const DEATHS_BEFORE_FIRST_READY = 3;
const MAX_RESTART_SECONDS = 30;
const ASK_EVERY_MS = 100;
const LINES_KEPT = 30;

export function createChild(spec: ChildSpec, options: ChildOptions) {
  const { name } = spec;
  const { terminal, record, onState, onGivenUp } = options;
  const stopping = new AbortController();
  const firstReady = Promise.withResolvers<void>();
  firstReady.promise.catch(() => {});
  let lastLines: string[] = [];
  let everReady = false;
  let current: { readonly child: ChildProcess; readonly exited: Promise<string> } | null = null;
  let running: Promise<void> = Promise.resolve();

  async function keepRunning(): Promise<void> {
    let deaths = 0;
    for (;;) {
      const { reason, wasReady, misconfigured } = await runOnce();
      onState('down');
      if (stopping.signal.aborted) return;
      // Consecutive deaths: the longer it fails, the longer the pause before the next start.
      deaths = wasReady ? 1 : deaths + 1;
      if (misconfigured || (!everReady && deaths >= DEATHS_BEFORE_FIRST_READY)) {
        onGivenUp(describeFailure(reason, misconfigured));
        return;
      }
      const seconds = Math.min(deaths, MAX_RESTART_SECONDS);
      terminal.warn(`${name} ${reason}; restarting it in ${seconds} s`);
      await sleep(seconds * 1000, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
    }
  }

  /** From its start to its end. */
  async function runOnce() {
    onState('starting');
    lastLines = [];
    const child = spec.spawn();
    const exited = exitOf(child);
    current = { child, exited };
    if (child.pid !== undefined) {
      record.add({ name, pid: child.pid, stopSignal: spec.stopSignal });
      if (spec.niceness !== undefined) lowerPriority(child.pid, spec.niceness);
    }
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
    const wasReady = isReady && !stopping.signal.aborted;
    const tookTooLong = !isReady && isRunning(child) && !stopping.signal.aborted;
    if (tookTooLong) child.kill(spec.killSignal);
    if (wasReady) {
      everReady = true;
      onState('ready');
      firstReady.resolve();
    }
    const ended = await exited;
    return {
      reason: tookTooLong ? `was not ready within ${spec.readyWithinMs / 1000} s` : ended,
      wasReady,
      misconfigured: child.exitCode === EXIT_CONFIG,
    };
  }

  function keepLine(line: string): void {
    lastLines = [...lastLines, line].slice(-LINES_KEPT);
    terminal.showLine(name, line);
  }

  function describeFailure(reason: string, misconfigured: boolean): StartError {
    const what = misconfigured
      ? `${name} cannot run with these settings.`
      : `${name} ${reason}, again and again.`;
    const output =
      lastLines.length === 0
        ? ['It printed nothing.']
        : ['Its last output:', ...lastLines.map((line) => `  ${terminal.readable(line)}`)];
    return new StartError([what, ...output].join('\n'), misconfigured ? EXIT_CONFIG : 1);
  }

  return {
    /**
     * Starts it, and keeps it running until it is stopped. Resolves when it is ready for the first
     * time; rejects if it is stopped before.
     */
    start(): Promise<void> {
      running = keepRunning();
      return firstReady.promise;
    },
    /** Asks it to stop, and kills it if that takes too long. Resolves when it is gone. */
    async stop(): Promise<void> {
      stopping.abort();
      firstReady.reject(new Error(`${name} was stopped`));
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
      // It may be exiting at this moment: then nobody needs the message.
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

/**
 * Linux shares the processor among sessions first, if it groups by them (`sched_autogroup`), and by
 * priority only within a session. Each supervised process has its own session.
 */
function lowerPriority(pid: number, by: number): void {
  try {
    setPriority(pid, Math.min(getPriority() + by, constants.priority.PRIORITY_LOW));
    writeFileSync(`/proc/${pid}/autogroup`, String(by), { flag: 'r+' });
  } catch {
    // It has ended by itself, which is noticed as for any other; or this system has no such groups.
  }
}
