import { proxyActivities, setCurrentDetails, sleep } from '@temporalio/workflow';

import type { Activities } from '../activities/index.ts';
import type { ErasureCounts, ErasureRequest } from './maintenance-contract.ts';

const { erase } = proxyActivities<Activities>({
  startToCloseTimeout: 2 * 60_000,
  // If the database is down for longer, it fails, and the next run tries again.
  scheduleToCloseTimeout: 30 * 60_000,
  retry: { initialInterval: 1_000, backoffCoefficient: 2, maximumInterval: 60_000 },
  summary: 'Erase deleted users',
});

/** At most half an hour and 500 events. */
const MOST_ROUNDS = 60;
/** Longer than the ten seconds within which Temporal is asked about a user only once. */
const DELETED_BY_THEN_MS = 12_000;

/**
 * Erases deleted users from both stores. A Temporal Schedule starts it every few minutes. Users
 * with work still in progress are left to the next run.
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
    if (!more) await sleep(DELETED_BY_THEN_MS, { summary: 'Temporal deletes the workflows' });
  }
}
