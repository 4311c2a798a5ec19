import type { Claim, DeliveryLedger, RecordedAttempt, ReleasedClaim } from '../events/ports.ts';
import { createBatcher } from './batcher.ts';
import type { Health } from './health.ts';
import { UNOBSERVED, type DeliveryObserver } from './observer.ts';

/** What became of claimed rows, on its way to the ledger. */
export interface Settlements {
  record(attempt: RecordedAttempt): void;
  release(claim: ReleasedClaim): void;
  giveBack(claim: Claim): void;
  /** An attempt for the row was made, and is not in the ledger yet. */
  isUnwritten(key: string): boolean;
  /** The ledger does not take them at the moment; they are kept. */
  readonly isFailing: boolean;
  /** Writes all; gives how many could not be written. */
  drain(): Promise<number>;
}

/** Half of the 100 ms in which an outcome is in the ledger; the other half is for writing it. */
const WAIT_MS = 50;
const MAX_BATCH = 500;
/** As long as a stop may wait for a database that is away. */
const DRAIN_MS = 5_000;

/**
 * Writes settlements in batches. What it can hold is bounded by what was claimed: nothing
 * is claimed while it fails.
 */
export function createSettlements(
  ledger: Pick<DeliveryLedger, 'record' | 'release' | 'giveBack'>,
  health: Health,
  observer: DeliveryObserver = UNOBSERVED,
): Settlements {
  const shared = {
    waitMs: WAIT_MS,
    maxBatch: MAX_BATCH,
    onWritten: health.ok,
    onFailure: health.failed,
  };
  const unwritten = new Set<string>();
  const attempts = createBatcher<RecordedAttempt>({
    ...shared,
    async write(items) {
      const { left, lost } = await ledger.record(items);
      for (const { key } of items) unwritten.delete(key);
      for (const { key } of left) unwritten.add(key);
      observeOthers(observer.recorded, items, [...left, ...lost]);
      return left;
    },
  });
  const releases = createBatcher({ ...shared, write: observed(observer.released, ledger.release) });
  const returns = createBatcher({
    ...shared,
    write: observed(observer.givenBack, ledger.giveBack),
  });
  const all = [attempts, releases, returns];

  return {
    record(attempt) {
      unwritten.add(attempt.key);
      observer.attempted(attempt);
      attempts.add(attempt);
    },
    release: releases.add,
    giveBack: returns.add,
    isUnwritten: (key) => unwritten.has(key),
    get isFailing() {
      return all.some((batcher) => batcher.isFailing);
    },
    async drain() {
      const left = await Promise.all(all.map((batcher) => batcher.drain(DRAIN_MS)));
      return left.reduce((sum, count) => sum + count, 0);
    },
  };
}

type Write<Item> = (items: readonly Item[]) => Promise<readonly Item[]>;

/** Tells of those that were written; the others are left. */
function observed<Item>(observe: (item: Item) => void, write: Write<Item>): Write<Item> {
  return async (items) => {
    const left = await write(items);
    observeOthers(observe, items, left);
    return left;
  };
}

function observeOthers<Item>(
  observe: (item: Item) => void,
  items: readonly Item[],
  but: readonly Item[],
): void {
  const left = new Set(but);
  for (const item of items) if (!left.has(item)) observe(item);
}
