import type { AuditStore } from '../audit/stored-audits.ts';
import type { RetentionStore } from '../retention/retention.ts';
import type { PruneCounts, PruneRequest, PruneResult } from '../workflows/maintenance-contract.ts';
import { failingWithoutData } from './failure.ts';

export interface HousekeepingActivityDeps {
  readonly retention: RetentionStore;
  /** The audits of the days whose occurrences are removed. */
  readonly audits: AuditStore;
  readonly logger?: { info(fields: object, message: string): void };
}

/** A statement on this many rows takes a fraction of a second, and blocks nothing. */
const BATCH = 2_000;
/** Enough for 100,000 rows; well inside the activity's timeout. */
const TIME_MS = 15_000;

/** The activity of the housekeeping workflow; safe to repeat, also by two at once. */
export function createHousekeepingActivities(deps: HousekeepingActivityDeps) {
  return failingWithoutData({
    /**
     * Removes what has passed its retention time, batch by batch, until nothing or no time is left.
     */
    async prune(request: PruneRequest): Promise<PruneResult> {
      const startedAt = performance.now();
      const result = await prune(deps, request);
      const durationMs = Math.round(performance.now() - startedAt);
      const about = { ...result.removed, more: result.more, durationMs };
      deps.logger?.info(about, 'housekeeping: removed what had passed its retention time');
      return result;
    },
  });
}

async function prune(
  { retention, audits }: HousekeepingActivityDeps,
  { keep }: PruneRequest,
): Promise<PruneResult> {
  const removed = {
    attempts: 0,
    responseExcerpts: 0,
    idempotencyKeys: 0,
    outbox: 0,
    occurrences: 0,
    operatorLog: 0,
  };
  const jobs: readonly (readonly [keyof PruneCounts, () => Promise<number>])[] = [
    ['attempts', () => retention.removeAttempts(keep.attemptsMs, BATCH)],
    ['responseExcerpts', () => retention.eraseResponseExcerpts(keep.responseExcerptsMs, BATCH)],
    ['idempotencyKeys', () => retention.removeIdempotencyKeys(keep.idempotencyKeysMs, BATCH)],
    ['outbox', () => retention.removeDoneEvents(keep.outboxMs, BATCH)],
    ['occurrences', () => removeOccurrences(retention, audits)],
    ['operatorLog', () => retention.removeOperatorLog(keep.occurrencesMs, BATCH)],
  ];
  const until = performance.now() + TIME_MS;
  const isTimeUp = (): boolean => performance.now() >= until;
  await retention.removeConsoleResults();
  // One day at a time, before its occurrences are removed.
  while (await audits.storeNext(keep.occurrencesMs)) {
    if (isTimeUp()) return { removed, more: true };
  }
  for (const [name, removeBatch] of jobs) {
    let count;
    do {
      if (isTimeUp()) return { removed, more: true };
      count = await removeBatch();
      removed[name] += count;
    } while (count === BATCH);
  }
  return { removed, more: false };
}

async function removeOccurrences(retention: RetentionStore, audits: AuditStore): Promise<number> {
  const firstKept = await audits.firstDayNotStored();
  return firstKept === null ? 0 : retention.removeOccurrences(firstKept, BATCH);
}
