import { workflowId } from '../ledger/occurrence-key.ts';
import { describeError, errorLine } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import { createLoop, type Loop } from '../platform/loop.ts';
import type { Outbox, OutboxEntry, OutboxResult } from '../users/outbox.ts';
import { PLAN_PAGE, type Planner } from './planner.ts';
import { type PlannedEntry, type PlanTracing, tracePlan } from './trace-plans.ts';
import type { PlanOutcome } from './write-plans.ts';

export interface OutboxConsumerDeps {
  readonly outbox: Outbox;
  readonly planner: Planner;
  readonly logger: Logger;
  /** Whether the API answers requests slowly. */
  readonly areRequestsSlow: () => Promise<boolean>;
  /** Called with the results of entries, once these are written. */
  readonly onResults?: (results: readonly OutboxResult[]) => void;
  /** Null or absent when traces are off. */
  readonly traced?: PlanTracing | null;
}

/** A claim is planned within a second or two; if planned one by one, it may take this long. */
const LEASE_MS = 30_000;
/** A new user is planned within this time. */
const POLL_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/**
 * While requests are slow: how many are planned at once, and the pause after it, per ms of work.
 */
const CAREFUL_PAGE = 100;
const CAREFUL_PAUSE = 2;

/**
 * Plans what the outbox names, until it is stopped. Any number of schedulers may do so at once. An
 * entry only says "plan this user": several entries of one user become one plan, and their order
 * does not matter. While the API answers requests slowly, it plans less at once, and pauses in
 * between. While the database is down, it waits, and logs that once.
 */
export function createOutboxConsumer(deps: OutboxConsumerDeps): Loop {
  const { outbox, planner, logger, areRequestsSlow, onResults, traced = null } = deps;
  let passedAt = -Infinity;

  async function round(failures: number): Promise<number> {
    const isCareful = await areRequestsSlow();
    const startedAt = performance.now();
    const entries = await outbox.claim(isCareful ? CAREFUL_PAGE : PLAN_PAGE, LEASE_MS);
    if (entries.length > 0) await consume(entries);
    if (failures > 0) logger.info('planning again');
    if (entries.length === 0) return POLL_MS;
    return isCareful ? CAREFUL_PAUSE * (performance.now() - startedAt) : 0;
  }

  async function consume(entries: readonly OutboxEntry[]): Promise<void> {
    const planned = await plan(entries).catch(async (error: unknown) => {
      // It is not their fault. If this fails too, they return when their lease ends.
      await outbox.acknowledge(
        entries.map(({ id, leaseToken }) => ({ id, leaseToken, kind: 'deferred', until: null })),
      );
      throw error;
    });
    const hasPassed = planned.some(({ outcomes }) =>
      outcomes.some(({ kind }) => kind !== 'failed' && kind !== 'deferred'),
    );
    if (hasPassed) passedAt = performance.now();
    const othersPass = performance.now() - passedAt < LATELY_MS;
    const results = planned.map((entry) => resultOf(entry, othersPass));
    await outbox.acknowledge(results);
    for (const [index, result] of results.entries()) logFailure(entries[index], result);
    onResults?.(results);
  }

  /** Returns each entry with the results of its occasions. */
  async function plan(entries: readonly OutboxEntry[]): Promise<EntryOutcome[]> {
    const whole = entries.filter(({ occasionId }) => occasionId === null);
    const userIds = [...new Set(whole.map(({ userId }) => userId))];
    const found = userIds.length === 0 ? [] : await planner.findOccasions(userIds);
    const ofUser = Map.groupBy(found, ({ userId }) => userId);
    const planned = entries.map((entry): PlannedEntry => {
      const { userId, occasionType: type, occasionId: id } = entry;
      const occasions = type === null || id === null ? (ofUser.get(userId) ?? []) : [{ type, id }];
      return { entry, occasions: occasions.map(({ type, id }) => ({ type, id })) };
    });
    const all = planned.flatMap(({ occasions }) => occasions);
    const planning = planner.plan(all);
    if (traced !== null) {
      const spans = planned.map((entry) => tracePlan(traced, entry, planning));
      await Promise.all(spans).catch(() => {});
    }
    const outcomes = await planning;
    const byId = new Map(outcomes.map((outcome) => [workflowId(outcome), outcome]));
    return planned.map(({ entry, occasions }) => ({
      entry,
      outcomes: occasions.flatMap((ref) => byId.get(workflowId(ref)) ?? []),
    }));
  }

  function logFailure(entry: OutboxEntry | undefined, result: OutboxResult): void {
    if (entry === undefined || !('error' in result)) return;
    const { id: outboxId, type, userId, revision } = entry;
    const about = { outboxId, type, userId, revision, error: result.error };
    if (result.kind === 'parked') {
      const alarm = 'outbox-entry-parked';
      logger.error({ alarm, ...about }, 'an event could not be planned and is parked');
    } else {
      logger.warn(about, 'an event could not be planned and will be tried again');
    }
  }

  return createLoop(round, (error, failures) => {
    if (failures === 1) {
      logger.warn({ error: describeError(error) }, 'waiting to plan; nothing is lost meanwhile');
    }
    const pauseMs = Math.min(POLL_MS * 2 ** failures, LONGEST_PAUSE_MS);
    // Jitter: several schedulers must not return at the same moment.
    return pauseMs * (0.75 + Math.random() / 2);
  });
}

interface EntryOutcome {
  readonly entry: OutboxEntry;
  readonly outcomes: readonly PlanOutcome[];
}

/** With the delays below, after about 15 minutes. */
const MOST_FAILURES = 10;
const LONGEST_DELAY_MS = 5 * 60_000;
/** An older plan says nothing about the present. */
const LATELY_MS = 10 * 60_000;

/**
 * The result of an entry. One that fails again and again is parked in the end, but only while
 * others succeed: otherwise the fault may be the planner's, and all would be parked.
 */
function resultOf({ entry, outcomes }: EntryOutcome, othersPass: boolean): OutboxResult {
  const claim = { id: entry.id, leaseToken: entry.leaseToken };
  const failed = outcomes.find((outcome) => outcome.kind === 'failed');
  if (failed !== undefined) {
    const error = errorLine(failed.error);
    const isLast = othersPass && entry.failures + 1 >= MOST_FAILURES;
    if (isLast) return { ...claim, kind: 'parked', error };
    const delayMs = Math.min(1_000 * 2 ** entry.failures, LONGEST_DELAY_MS);
    return { ...claim, kind: 'failed', delayMs, error };
  }
  const leases = outcomes.map((outcome) => (outcome.kind === 'deferred' ? outcome.until : 0));
  const until = Math.max(0, ...leases);
  return until > 0 ? { ...claim, kind: 'deferred', until } : { ...claim, kind: 'done' };
}
