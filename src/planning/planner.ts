import { setTimeout as sleep } from 'node:timers/promises';

import pLimit from 'p-limit';

import { workflowId } from '../ledger/occurrence-key.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { describeError, errorCode, isServerAway } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import type { Orm } from '../platform/database/orm.ts';
import { findOccasions } from './occasion-inputs.ts';
import { planBatch } from './plan-batch.ts';
import { NoRulesError } from './rules.ts';
import type { PlanningSettings, PlanOutcome } from './write-plans.ts';

interface PlannerDeps {
  readonly orm: Orm;
  readonly settings: PlanningSettings;
  /** The process's clock, epoch ms: an occurrence has to be too late by both clocks. */
  readonly clock: () => number;
  readonly logger: Pick<Logger, 'warn'>;
}

/** The most to plan in one transaction: others wait for its locks. */
const MOST_IN_BATCH = 500;
/** While PostgreSQL writes one batch, the next one is decided. */
const BATCHES_AT_ONCE = 2;
/** How many one call of `plan` works on at once. */
export const PLAN_PAGE = MOST_IN_BATCH * BATCHES_AT_ONCE;

export type Planner = ReturnType<typeof createPlanner>;

/**
 * The planner on PostgreSQL: a transaction for each batch. If a batch fails, its occasions are
 * planned one by one, so that one that cannot be planned does not block the others.
 */
export function createPlanner({ orm, settings, clock, logger }: PlannerDeps) {
  const planTogether = (refs: readonly OccasionRef[]): Promise<PlanOutcome[]> =>
    retryingConflicts(() =>
      orm.em.fork().transactional((em) => planBatch(em, refs, { settings, clock })),
    );

  const planBatchOrSingly = async (refs: readonly OccasionRef[]): Promise<PlanOutcome[]> => {
    try {
      return await planTogether(refs);
    } catch (error) {
      if (concernsAll(error)) throw error;
      if (refs.length === 1) return refs.map((ref) => ({ ...ref, kind: 'failed', error }));
      const about = { occasions: refs.length, error: describeError(error) };
      logger.warn(about, 'a batch could not be planned; its occasions are planned one by one');
      const outcomes: PlanOutcome[] = [];
      for (const ref of refs) outcomes.push(...(await planBatchOrSingly([ref])));
      return outcomes;
    }
  };

  return {
    /**
     * Plans each occasion once: settles what is over, writes the next occurrence into the ledger,
     * and when the occasion's workflow should wake. Safe to repeat. One that fails does not block
     * the others. Rejects only if nothing can be planned, as when the database is down.
     */
    async plan(occasions: readonly OccasionRef[]): Promise<readonly PlanOutcome[]> {
      const unique = [...new Map(occasions.map((ref) => [workflowId(ref), ref])).values()];
      const batches = Array.from({ length: Math.ceil(unique.length / MOST_IN_BATCH) }, (_, index) =>
        unique.slice(index * MOST_IN_BATCH, (index + 1) * MOST_IN_BATCH),
      );
      const limit = pLimit(BATCHES_AT_ONCE);
      const results = await Promise.allSettled(
        batches.map((refs) => limit(() => planBatchOrSingly(refs))),
      );
      return results.flatMap((result) => {
        if (result.status === 'rejected') throw result.reason;
        return result.value;
      });
    },
    /** All occasions of these users: existing ones, and those that have ended. */
    findOccasions: (userIds: readonly string[]) => findOccasions(orm.em.fork(), userIds),
  };
}

/** Whether all others would fail in the same way if they were planned one by one. */
function concernsAll(error: unknown): boolean {
  return isServerAway(error) || error instanceof NoRulesError;
}

/** SQLSTATEs of transactions that lost a conflict: serialization failure, deadlock. */
const CONFLICTS = new Set(['40001', '40P01']);
const MOST_TRIES = 4;

async function retryingConflicts<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === MOST_TRIES || !CONFLICTS.has(errorCode(error))) throw error;
      await sleep(Math.random() * 50 * tries);
    }
  }
}
