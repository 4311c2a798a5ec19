import { setTimeout as sleep } from 'node:timers/promises';

/** Collects items and writes them in batches. Nothing is lost while writing fails. */
export interface Batcher<Item> {
  add(item: Item): void;
  /** The last write failed, or this one takes long: nothing more should be begun that ends up here. */
  readonly isFailing: boolean;
  /** Writes all there is; gives what is left when the time is over. */
  drain(timeoutMs: number): Promise<number>;
}

export interface BatcherOptions<Item> {
  /** Gives those that could not be written this time. */
  readonly write: (items: readonly Item[]) => Promise<readonly Item[]>;
  readonly onWritten: () => void;
  readonly onFailure: (error: unknown) => void;
  /** How long an item may wait for others. */
  readonly waitMs: number;
  readonly maxBatch: number;
}

const RETRY_MS = 250;
/** A write that hangs fails much later: by then, what was begun meanwhile would be past its hold. */
const SLOW_WRITE_MS = 1_000;

/** One write at a time, in order; a batch that fails is written again until it isn't. */
export function createBatcher<Item>(options: BatcherOptions<Item>): Batcher<Item> {
  const { write, onWritten, onFailure, waitMs, maxBatch } = options;
  const items: Item[] = [];
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> | null = null;
  let writingSince = Infinity;
  let isFailing = false;

  const writeOne = async (): Promise<void> => {
    const batch = items.slice(0, maxBatch);
    writingSince = performance.now();
    try {
      const left = await write(batch);
      items.splice(0, batch.length);
      items.push(...left);
      isFailing = false;
      onWritten();
      if (left.length > 0) await sleep(waitMs);
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
    if (writing !== null || items.length === 0) return;
    if (isFailing || items.length >= maxBatch) start();
    else timer ??= setTimeout(start, waitMs);
  };

  return {
    add(item) {
      items.push(item);
      schedule();
    },
    get isFailing() {
      return isFailing || performance.now() - writingSince > SLOW_WRITE_MS;
    },
    async drain(timeoutMs) {
      const until = performance.now() + timeoutMs;
      while (items.length > 0 && performance.now() < until) {
        start();
        await Promise.race([writing, sleep(until - performance.now(), undefined, { ref: false })]);
      }
      return items.length;
    },
  };
}
