import { describeError } from '../platform/errors.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { OccasionWorkflows } from '../workflows/occasion-client.ts';
import type {
  Comparison,
  FindingCounts,
  ReconcileReport,
  ReconcileStep,
  StoreCheck,
  WorkflowFindingKind,
} from '../workflows/maintenance-contract.ts';
import { createComparison } from './compare-workflows.ts';
import { createFindings, type Finding } from './findings.ts';
import { createForgetting } from './forget-wakes.ts';
import { raiseAlarm, type ReconcileLogger, type ReconcileObserver } from './round.ts';
import type { RunningWorkflows } from './running-workflows.ts';
import { findState, mustRest, noteLook, noteReturn } from './state.ts';
import { createUnwatched } from './unwatched.ts';

export interface WorkflowReconcilerDeps {
  readonly orm: Orm;
  readonly running: RunningWorkflows;
  readonly workflows: Pick<OccasionWorkflows, 'end'>;
  readonly logger: ReconcileLogger;
  readonly observer?: ReconcileObserver;
  /** How often the reconciler's workflow runs. */
  readonly everyMs: number;
  /** Occasions in a page; for tests. */
  readonly page?: number;
}

/** What a run has found by its end. */
export interface ConcludeRequest {
  /** Of this run: when it began, epoch ms. */
  readonly startedAt: number;
  readonly detected: FindingCounts;
  readonly repaired: FindingCounts;
  readonly notLookedFor: readonly WorkflowFindingKind[];
}

export type WorkflowReconciler = ReturnType<typeof createWorkflowReconciler>;

export const WORKFLOW_KINDS: readonly WorkflowFindingKind[] = ['unwatched', 'lost', 'stray'];

/**
 * The half of the reconciler that only Temporal can answer: occasions that no workflow looks at,
 * ids that the two stores do not share, and a Temporal store that is another one. A workflow calls
 * its steps; each is safe to repeat, also beside another's.
 */
export function createWorkflowReconciler(deps: WorkflowReconcilerDeps) {
  const { orm, running, logger, observer, everyMs } = deps;
  const findings = createFindings(orm);
  const forgetting = createForgetting(orm, deps.page);
  const unwatched = createUnwatched(orm, findings);
  const comparison = createComparison({ ...deps, findings });

  const counted = async <Result>(step: () => Promise<Result>): Promise<Result> => {
    try {
      const result = await step();
      observer?.step('succeeded');
      return result;
    } catch (error) {
      observer?.step('failed');
      throw error;
    }
  };

  /** Why a finding still holds, by what Temporal says of the workflow. */
  async function explain({ subject, note }: Finding): Promise<string> {
    try {
      const { words } = await running.describe(subject);
      return note === null ? words : `${note}; ${words}`;
    } catch (error) {
      return `${note ?? 'it is amiss'}; Temporal cannot be asked: ${describeError(error).name}`;
    }
  }

  return {
    /**
     * Compares Temporal's store with the one before; of another one, forgets all wakes, so that
     * the notifier starts the workflows there.
     */
    checkStore: (onPage: () => void): Promise<StoreCheck> =>
      counted(async () => {
        const { isLost } = await forgetting.rememberStore(await running.storeId());
        if (isLost) logger.warn({}, 'reconciler: this Temporal store is another one than before');
        await noteReturn(orm, 2 * everyMs + 3_600_000);
        const forgotten = await forgetting.goOn(onPage);
        if (forgotten > 0) {
          logger.info({ forgotten }, 'reconciler: all workflows are notified again');
        }
        const ages = await findState(orm);
        return { rests: mustRest(ages, ages.workflowsAgeMs, everyMs), forgotten };
      }),

    /** Has the workflows notified of occasions that none has looked at for two hours. */
    lookForUnwatched: (): Promise<ReconcileStep> =>
      counted(async () => {
        const step = await unwatched.look();
        await noteLook(orm, 'workflows');
        return step;
      }),

    /** Once a day, compares the ids of all workflows that run with the occasions, both ways. */
    compare: (onPage: () => void): Promise<Comparison> => counted(() => comparison.compare(onPage)),

    /** Counts and logs what a run came to, and raises the alarm for what is not repaired. */
    conclude: ({
      startedAt,
      ...counts
    }: ConcludeRequest): Promise<Pick<ReconcileReport, 'unrepaired' | 'examples'>> =>
      counted(async () => {
        const fresh = await findings.markUnrepaired([
          ...(await unwatched.findHopeless()),
          ...(await comparison.findHopeless()),
        ]);
        const alarm = await raiseAlarm(findings, WORKFLOW_KINDS, logger, explain);
        const durationMs = Math.max(0, Date.now() - startedAt);
        const { detected, repaired, notLookedFor } = counts;
        observer?.round({ detected, repaired, unrepaired: fresh, durationMs });
        logger.info(
          { detected, repaired, unrepaired: alarm.unrepaired, notLookedFor, durationMs },
          'reconciler: looked through the workflows',
        );
        return alarm;
      }),
  };
}
