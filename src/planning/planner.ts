import { setTimeout as sleep } from 'node:timers/promises';

import type { OccasionRef } from '../ledger/types.ts';
import { errorCode, isServerAway } from '../observability/connection-errors.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Orm } from '../persistence/orm.ts';
import { findOccasions } from './occasion-inputs.ts';
import { planBatch } from './plan-batch.ts';
import { NoRulesError } from './rules.ts';
import type { Planner, PlanOutcome } from './types.ts';
import type { PlanningSettings } from './write-plans.ts';

export interface PlannerDeps {
  readonly orm: Orm;
  readonly settings: PlanningSettings;
  /** The process's, epoch ms: what is too late has to be so by both clocks. */
  readonly clock: () => number;
  readonly logger: Pick<Logger, 'warn'>;
}

/** Planned in one transaction at the most: they wait for each other's locks. */
export const MOST_IN_BATCH = 500;

/**
 * The planner on PostgreSQL: a transaction for each batch. If a batch fails, its occasions are
 * planned one by one, so that one that cannot be planned holds up no other.
 */
export function createPlanner({ orm, settings, clock, logger }: PlannerDeps): Planner {
  const planTogether = (refs: readonly OccasionRef[]): Promise<PlanOutcome[]> =>
    retryingConflicts(() =>
      orm.em.fork().transactional((em) => planBatch(em, refs, { settings, clock })),
    );

  const planOne = async (ref: OccasionRef): Promise<PlanOutcome[]> => {
    try {
      return await planTogether([ref]);
    } catch (error) {
      if (concernsAll(error)) throw error;
      return [{ ...ref, kind: 'failed', error }];
    }
  };

  const plan = async (refs: readonly OccasionRef[]): Promise<PlanOutcome[]> => {
    if (refs.length === 1) return planOne(refs[0] as OccasionRef);
    try {
      return await planTogether(refs);
    } catch (error) {
      if (concernsAll(error)) throw error;
      const about = { occasions: refs.length, error: describeError(error) };
      logger.warn(about, 'a batch could not be planned; its occasions are planned one by one');
      const outcomes: PlanOutcome[] = [];
      for (const ref of refs) outcomes.push(...(await planOne(ref)));
      return outcomes;
    }
  };

  return {
    async plan(occasions) {
      const unique = [...new Map(occasions.map((ref) => [nameOf(ref), ref])).values()];
      const outcomes: PlanOutcome[] = [];
      for (let start = 0; start < unique.length; start += MOST_IN_BATCH) {
        outcomes.push(...(await plan(unique.slice(start, start + MOST_IN_BATCH))));
      }
      return outcomes;
    },
    findOccasions: (userIds) => findOccasions(orm.em.fork(), userIds),
  };
}

function nameOf({ type, id }: OccasionRef): string {
  return `${type}/${id}`;
}

/** With others: planned one by one, they would all fail alike. */
function concernsAll(error: unknown): boolean {
  return isServerAway(error) || error instanceof NoRulesError;
}

/** SQLSTATEs of transactions that were rolled back for another's sake: serialization, deadlock. */
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
