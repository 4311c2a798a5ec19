import { setTimeout as sleep } from 'node:timers/promises';

export interface UntilOptions {
  readonly everyMs: number;
  /** Epoch ms after which it gives up. */
  readonly deadline?: number;
}

/** Polls; returns whether the answer was yes before the deadline. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  { everyMs, deadline = Infinity }: UntilOptions,
): Promise<boolean> {
  while (!(await holds())) {
    if (Date.now() >= deadline) return false;
    await sleep(Math.min(everyMs, Math.max(deadline - Date.now(), 0)));
  }
  return true;
}

/** Sleeps until an instant, epoch ms; longer than one timer can if necessary. */
export async function sleepUntil(instant: number): Promise<void> {
  while (Date.now() < instant) await sleep(Math.min(instant - Date.now(), 60_000));
}
