/** What happens to one child process, as promises. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const OUTPUT_LIMIT_MS = 1_000;
const ASK_EVERY_MS = 100;

/** Whether it was started and has not ended. */
export function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** How it ended, in words, once its last output is in. */
export function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(`could not be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      const reason = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
      child.once('close', () => resolve(reason));
      // A process that it left behind may hold its output open.
      setTimeout(resolve, OUTPUT_LIMIT_MS, reason).unref();
    });
  });
}

/** Resolves when the process says by IPC that it can be used. */
export function saysReady(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    child.on('message', (message) => {
      if (
        typeof message === 'object' &&
        message !== null &&
        'type' in message &&
        message.type === 'ready'
      ) {
        resolve(true);
      }
    });
  });
}

/** Resolves with whether the answer was yes before `over` was aborted. */
export async function askUntilReady(
  ask: () => Promise<boolean>,
  over: AbortSignal,
): Promise<boolean> {
  while (!over.aborted) {
    if (await ask()) return true;
    await sleep(ASK_EVERY_MS, undefined, { signal: over }).catch(() => {});
  }
  return false;
}

/** Kills it, with whatever it started itself. */
export function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended in the meantime.
  }
}
