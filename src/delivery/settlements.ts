import type { Claim, DeliveryLedger, RecordedAttempt, ReleasedClaim } from '../events/ports.ts';
import { createBatcher } from './batcher.ts';
import type { Health } from './health.ts';

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
      const left = await ledger.record(items);
      for (const { key } of items) unwritten.delete(key);
      for (const { key } of left) unwritten.add(key);
      return left;
    },
  });
  const releases = createBatcher({ ...shared, write: ledger.release });
  const returns = createBatcher({ ...shared, write: ledger.giveBack });
  const all = [attempts, releases, returns];

  return {
    record(attempt) {
      unwritten.add(attempt.key);
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
