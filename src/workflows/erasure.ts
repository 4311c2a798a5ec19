import { proxyActivities, setCurrentDetails, sleep } from '@temporalio/workflow';

import type { Activities } from '../activities/index.ts';
import type { ErasureCounts, ErasureRequest } from './messages.ts';

/**
 * Erases who was deleted from both stores. A Temporal Schedule starts it every few minutes; its
 * result is how much that was. Whom something still waits for is the next one's.
 */
export async function erasure(request: ErasureRequest): Promise<ErasureCounts> {
  const all = { fromDatabase: 0, fromTemporal: 0, runs: 0 };
  for (let rounds = 1; ; rounds++) {
    const { erased, more, deleting } = await erase(request);
    all.fromDatabase += erased.fromDatabase;
    all.fromTemporal += erased.fromTemporal;
    all.runs += erased.runs;
    setCurrentDetails(`Erased so far: ${JSON.stringify(all)}.`);
    if (rounds === MOST_ROUNDS || !(more || deleting)) return all;
    if (!more) await sleep(DELETED_BY_THEN_MS, { summary: 'Temporal deletes what it was told to' });
  }
}

/** Half an hour and 500 events at the most. */
const MOST_ROUNDS = 60;
/** Longer than the ten seconds in which nobody is looked at twice. */
const DELETED_BY_THEN_MS = 12_000;

const { erase } = proxyActivities<Activities>({
  startToCloseTimeout: 2 * 60_000,
  // With the database away for longer it fails, and the next one tries again.
  scheduleToCloseTimeout: 30 * 60_000,
  retry: { initialInterval: 1_000, backoffCoefficient: 2, maximumInterval: 60_000 },
  summary: 'Erase who was deleted',
});
