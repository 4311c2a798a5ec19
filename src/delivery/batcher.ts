import { setTimeout as sleep } from 'node:timers/promises';

export interface BatcherOptions<Item> {
  /** Resolves with the items that could not be written this time. */
  readonly write: (items: readonly Item[]) => Promise<readonly Item[]>;
  readonly onWritten: () => void;
  readonly onFailure: (error: unknown) => void;
  /** How long an item may wait for others. */
  readonly waitMs: number;
  readonly maxBatch: number;
}

const RETRY_MS = 250;
/**
 * A hanging write fails much later: by then, work begun meanwhile would have outlived its lease.
 */
const SLOW_WRITE_MS = 1_000;

interface Waiting<Item> {
  readonly item: Item;
  readonly written: () => void;
}

/** Writes one batch at a time, in order. Repeats a failed batch until it succeeds. */
export function createBatcher<Item>(options: BatcherOptions<Item>) {
  const { write, onWritten, onFailure, waitMs, maxBatch } = options;
  const waiting: Waiting<Item>[] = [];
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> | null = null;
  let writingSince = Infinity;
  let isFailing = false;

  const writeOne = async (): Promise<void> => {
    const batch = waiting.slice(0, maxBatch);
    writingSince = performance.now();
    try {
      const left = new Set(await write(batch.map(({ item }) => item)));
      waiting.splice(0, batch.length);
      isFailing = false;
      onWritten();
      for (const one of batch) {
        if (left.has(one.item)) waiting.push(one);
        else one.written();
      }
      if (left.size > 0) await sleep(waitMs);
    } catch (error) {
      isFailing = true;
      onFailure(error);
      await sleep(RETRY_MS);
    } finally {
      writingSince = Infinity;
    }
  };

  const start = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    writing ??= writeOne().finally(() => {
      writing = null;
      schedule();
    });
  };

  const schedule = (): void => {
    if (writing !== null || waiting.length === 0) return;
    if (isFailing || waiting.length >= maxBatch) start();
    else timer ??= setTimeout(start, waitMs);
  };

  return {
    /** Resolves when the item is written. Never rejects. */
    add(item: Item): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ item, written: resolve });
      schedule();
      return promise;
    },
    /** The last write failed, or this one takes long: begin nothing more that ends up here. */
    get isFailing(): boolean {
      return isFailing || performance.now() - writingSince > SLOW_WRITE_MS;
    },
    /** Writes everything; resolves with how many items are left when the time is over. */
    async drain(timeoutMs: number): Promise<number> {
      const until = performance.now() + timeoutMs;
      while (waiting.length > 0 && performance.now() < until) {
        start();
        await Promise.race([writing, sleep(until - performance.now(), undefined, { ref: false })]);
      }
      return waiting.length;
    },
  };
}
