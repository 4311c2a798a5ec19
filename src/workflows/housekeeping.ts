import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';

import type { Activities } from '../activities/index.ts';
import type { PruneCounts, PruneRequest } from './maintenance-contract.ts';

const { prune } = proxyActivities<Activities>({
  startToCloseTimeout: 60_000,
  // If the database is down for longer, it fails, and the next run, an hour later, tries again.
  scheduleToCloseTimeout: 30 * 60_000,
  retry: { initialInterval: 1_000, backoffCoefficient: 2, maximumInterval: 60_000 },
  summary: 'Remove what has been kept for its time',
});

const KINDS = [
  'attempts',
  'responseExcerpts',
  'idempotencyKeys',
  'outbox',
  'occurrences',
  'operatorLog',
] as const;
/** At most half an hour and 400 events; the rest is left to the next hour. */
const MOST_ROUNDS = 60;

/**
 * Removes what has passed its retention time. A Temporal Schedule starts it every hour; returns how
 * much it removed.
 */
export async function housekeeping(request: PruneRequest): Promise<PruneCounts> {
  const removed = {
    attempts: 0,
    responseExcerpts: 0,
    idempotencyKeys: 0,
    outbox: 0,
    occurrences: 0,
    operatorLog: 0,
  };
  for (let rounds = 0; rounds < MOST_ROUNDS; rounds++) {
    const round = await prune(request);
    for (const kind of KINDS) removed[kind] += round.removed[kind];
    setCurrentDetails(`Removed so far: ${JSON.stringify(removed)}.`);
    if (!round.more) break;
  }
  return removed;
}
