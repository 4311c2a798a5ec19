import { pgBossEngine } from './pg-boss-engine.ts';

/**
 * What its documentation offers for throughput: full batches, and the next one at once while they
 * are full.
 */
export const engine = pgBossEngine({
  batchSize: 100,
  localConcurrency: 4,
  burstWhenBatchFull: true,
  pollingIntervalSeconds: 0.5,
});
