import type { Ledger } from '../ledger/ledger.ts';
import type { EndedClaim, Lease, RecordedAttempt } from '../ledger/types.ts';
import { createBatcher } from './batcher.ts';
import type { Health } from './health.ts';
import type { DeliveryMetrics } from './metrics.ts';

export interface OutcomesDeps {
  readonly ledger: Pick<Ledger, 'record' | 'release' | 'end' | 'returnToQueue'>;
  readonly health: Pick<Health, 'ok' | 'failed'>;
  readonly metrics: Pick<DeliveryMetrics, 'attempted' | 'recorded'>;
  /** How long one may wait for others, in ms. */
  readonly waitMs: number;
}

export type Outcomes = ReturnType<typeof createOutcomes>;

const MAX_BATCH = 500;
/** How long a stop waits for a database that is down. */
const DRAIN_MS = 5_000;

/**
 * Writes the outcomes of claimed rows, in batches; one for each process that sends. Each promise
 * resolves when the ledger has the outcome, and never rejects. The number it holds is bounded by
 * what was claimed: nothing is claimed while writing fails.
 */
export function createOutcomes(deps: OutcomesDeps) {
  const { ledger, health, metrics, waitMs } = deps;
  const unwritten = new Map<string, Promise<void>>();

  const batcherOf = <Item>(write: (items: readonly Item[]) => Promise<readonly Item[]>) =>
    createBatcher<Item>({
      waitMs,
      maxBatch: MAX_BATCH,
      onWritten: health.ok,
      onFailure: health.failed,
      write,
    });
  const attempts = batcherOf<RecordedAttempt>(async (items) => {
    const { locked, lost } = await ledger.record(items);
    const isUndone = new Set([...locked, ...lost]);
    for (const attempt of items) if (!isUndone.has(attempt)) metrics.recorded(attempt);
    return locked;
  });
  const releases = batcherOf<Lease>(ledger.release);
  const ends = batcherOf<EndedClaim>(ledger.end);
  const returns = batcherOf<Lease>(ledger.returnToQueue);
  const all = [attempts, releases, ends, returns];

  return {
    record(attempt: RecordedAttempt): Promise<void> {
      metrics.attempted(attempt);
      const { key } = attempt;
      const written = attempts.add(attempt).finally(() => {
        if (unwritten.get(key) === written) unwritten.delete(key);
      });
      unwritten.set(key, written);
      return written;
    },
    /** The row waits for its plan. */
    release: releases.add,
    /** The row is settled without an attempt. */
    end: ends.add,
    /** The row is due again, at the current destination of its type. */
    returnToQueue: returns.add,
    /** Resolves when the row's last attempt is in the ledger; undefined if it already is. */
    unwritten: (key: string): Promise<void> | undefined => unwritten.get(key),
    /** The ledger accepts none at the moment. They are kept; nothing may be claimed. */
    get isFailing(): boolean {
      return all.some((batcher) => batcher.isFailing);
    },
    /** Writes everything; resolves with how many could not be written. */
    async drain(): Promise<number> {
      const left = await Promise.all(all.map((batcher) => batcher.drain(DRAIN_MS)));
      return left.reduce((sum, count) => sum + count, 0);
    },
  };
}
