import { setTimeout as sleep } from 'node:timers/promises';

export interface Pace {
  readonly perSecond: number;
  readonly atOnce: number;
}

/**
 * Does something with all items, so many at once, no faster than the pace. Gives how many it
 * got to before it was stopped; rejects as soon as a batch does.
 */
export async function paced<Item>(
  items: readonly Item[],
  { perSecond, atOnce }: Pace,
  stopping: AbortSignal,
  doBatch: (batch: readonly Item[]) => Promise<unknown>,
): Promise<number> {
  let done = 0;
  while (done < items.length && !stopping.aborted) {
    const batch = items.slice(done, done + atOnce);
    const pauseMs = (batch.length / perSecond) * 1000;
    const pause = sleep(pauseMs, undefined, { signal: stopping }).catch(() => {});
    await doBatch(batch);
    done += batch.length;
    await pause;
  }
  return done;
}
