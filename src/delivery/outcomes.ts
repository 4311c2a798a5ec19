import type { Ledger } from '../ledger/ledger.ts';
import type { EndedClaim, Lease, RecordedAttempt } from '../ledger/types.ts';
import { createBatcher } from './batcher.ts';
import type { Health } from './health.ts';
import { UNOBSERVED, type DeliveryObserver } from './observer.ts';

/**
 * What became of claimed rows, on its way to the ledger; one for each process that sends. Each
 * promise resolves when that is written, and never rejects.
 */
export interface Outcomes {
  record(attempt: RecordedAttempt): Promise<void>;
  /** The row waits for its plan. */
  release(lease: Lease): Promise<void>;
  /** The row is settled without an attempt. */
  end(claim: EndedClaim): Promise<void>;
  /** The row is due again now. */
  returnToQueue(lease: Lease): Promise<void>;
  /** Resolves when the row's last attempt is in the ledger; undefined if it is already. */
  unwritten(key: string): Promise<void> | undefined;
  /** The ledger does not take them at the moment. They are kept; nothing may be claimed. */
  readonly isFailing: boolean;
  /** Writes all; resolves with how many could not be written. */
  drain(): Promise<number>;
}

export interface OutcomesDeps {
  readonly ledger: Pick<Ledger, 'record' | 'release' | 'end' | 'returnToQueue'>;
  readonly health: Pick<Health, 'ok' | 'failed'>;
  readonly observer?: DeliveryObserver | undefined;
  /** How long one may wait for others, in ms. */
  readonly waitMs?: number;
}

/** Half of the 100 ms in which an outcome is in the ledger; the other half is for writing it. */
const WAIT_MS = 50;
const MAX_BATCH = 500;
/** As long as a stop may wait for a database that is away. */
const DRAIN_MS = 5_000;

/**
 * Writes outcomes in batches. What it holds is bounded by what was claimed: nothing is claimed
 * while it fails.
 */
export function createOutcomes(deps: OutcomesDeps): Outcomes {
  const { ledger, health, observer = UNOBSERVED, waitMs = WAIT_MS } = deps;
  const unwritten = new Map<string, Promise<void>>();

  const batcherOf = <Item>(
    write: (items: readonly Item[]) => Promise<readonly Item[]>,
    onWritten: (item: Item) => void,
  ) =>
    createBatcher<Item>({
      waitMs,
      maxBatch: MAX_BATCH,
      onWritten: health.ok,
      onFailure: health.failed,
      async write(items) {
        const left = await write(items);
        const isLeft = new Set(left);
        for (const item of items) if (!isLeft.has(item)) onWritten(item);
        return left;
      },
    });

  const lost = new WeakSet<RecordedAttempt>();
  const attempts = batcherOf<RecordedAttempt>(
    async (items) => {
      const recorded = await ledger.record(items);
      for (const attempt of recorded.lost) lost.add(attempt);
      return recorded.locked;
    },
    (attempt) => {
      if (!lost.has(attempt)) observer.recorded(attempt);
    },
  );
  const releases = batcherOf<Lease>(ledger.release, observer.released);
  const ends = batcherOf<EndedClaim>(ledger.end, observer.ended);
  const returns = batcherOf<Lease>(ledger.returnToQueue, observer.returned);
  const all = [attempts, releases, ends, returns];

  return {
    record(attempt) {
      observer.attempted(attempt);
      const { key } = attempt;
      const written = attempts.add(attempt).then(() => {
        if (unwritten.get(key) === written) unwritten.delete(key);
      });
      unwritten.set(key, written);
      return written;
    },
    release: releases.add,
    end: ends.add,
    returnToQueue: returns.add,
    unwritten: (key) => unwritten.get(key),
    get isFailing() {
      return all.some((batcher) => batcher.isFailing);
    },
    async drain() {
      const left = await Promise.all(all.map((batcher) => batcher.drain(DRAIN_MS)));
      return left.reduce((sum, count) => sum + count, 0);
    },
  };
}
