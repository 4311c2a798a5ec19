import type { Client } from '@temporalio/client';

import { interval, queryOf } from '../ledger/sql.ts';
import { describeError } from '../platform/errors.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { Registry } from '../platform/metrics.ts';
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
import { createFindings, type Finding, type ReconcileLogger } from './findings.ts';
import { createReconcileMetrics } from './metrics.ts';
import { createRunningWorkflows } from './running-workflows.ts';
import { findState, mustRest, noteLook } from './state.ts';
import { forgetLostStore, rememberStore } from './stores.ts';
import { lookForUnwatched } from './unwatched.ts';

export interface WorkflowReconcilerDeps {
  readonly orm: Orm;
  readonly client: Client;
  readonly taskQueue: string;
  readonly workflows: Pick<OccasionWorkflows, 'end'>;
  readonly logger: ReconcileLogger;
  readonly registry: Registry;
  /** How often the reconciler's workflow runs. */
  readonly everyMs: number;
  /** Occasions in a page; for tests. */
  readonly page?: number;
}

/** What a run has found by its end. */
export interface ConcludeRequest {
  /** When the run began, epoch ms. */
  readonly startedAt: number;
  readonly detected: FindingCounts;
  readonly repaired: FindingCounts;
  readonly notLookedFor: readonly WorkflowFindingKind[];
}

export type WorkflowReconciler = ReturnType<typeof createWorkflowReconciler>;

const WORKFLOW_KINDS: readonly WorkflowFindingKind[] = ['unwatched', 'lost', 'stray'];

/** Besides two runs: how long nothing may look before Temporal counts as having been away. */
const AWAY_AFTER_MS = 3_600_000;

/**
 * The half of the reconciler that needs Temporal: finds occasions that no workflow looks at, ids
 * that only one of the stores has, and a Temporal store that is another one. A workflow calls its
 * steps; each is safe to repeat, also while another runs.
 */
export function createWorkflowReconciler(deps: WorkflowReconcilerDeps) {
  const { orm, logger, everyMs } = deps;
  const metrics = createReconcileMetrics(deps.registry, WORKFLOW_KINDS);
  const running = createRunningWorkflows(deps.client, deps.taskQueue);
  const query = queryOf(orm);
  const findings = createFindings(orm);
  const compare = createComparison({ ...deps, running, findings });

  /** Adds what Temporal says of the workflow. */
  async function explain({ subject, note }: Finding): Promise<string> {
    try {
      return `${note}; ${(await running.describe(subject)).words}`;
    } catch (error) {
      return `${note}; Temporal cannot be asked: ${describeError(error).name}`;
    }
  }

  return {
    /** If Temporal's store is another one than before, has all workflows notified, which starts them. */
    checkStore: (onPage: () => void): Promise<StoreCheck> =>
      metrics.step(async () => {
        const isLost = await rememberStore(orm, await running.storeId());
        if (isLost) logger.warn({}, 'reconciler: this Temporal store is another one than before');
        await query(NOTE_RETURN, { awayMs: 2 * everyMs + AWAY_AFTER_MS });
        const forgotten = await forgetLostStore(orm, onPage, deps.page);
        if (forgotten > 0) {
          logger.info({ forgotten }, 'reconciler: all workflows are notified again');
        }
        const ages = await findState(orm);
        return { rests: mustRest(ages, ages.workflowsAgeMs, everyMs), forgotten };
      }),

    /** Has the workflows notified of occasions that none has looked at for two hours. */
    lookForUnwatched: (): Promise<ReconcileStep> =>
      metrics.step(async () => {
        const step = await lookForUnwatched(orm);
        await noteLook(orm, 'workflows_looked_at');
        return step;
      }),

    /** Once a day, compares the ids of all workflows that run with the occasions, both ways. */
    compare: (onPage: () => void): Promise<Comparison> => metrics.step(() => compare(onPage)),

    /** Counts and logs what a run came to, and raises the alarm for what is not repaired. */
    conclude: ({
      startedAt,
      ...counts
    }: ConcludeRequest): Promise<Pick<ReconcileReport, 'unrepaired' | 'examples'>> =>
      metrics.step(async () => {
        await query(MARK_UNREPAIRED);
        metrics.round(counts);
        const alarm = await findings.raiseAlarm(WORKFLOW_KINDS, logger, explain);
        logger.info(
          { ...counts, unrepaired: alarm.unrepaired, durationMs: Date.now() - startedAt },
          'reconciler: looked through the workflows',
        );
        return alarm;
      }),
  };
}

/** What no workflow has looked at while Temporal was away is given its time from now on. */
const NOTE_RETURN = `
  update events.reconciler set temporal_back_at = events.clock()
  where temporal_back_at is null or workflows_looked_at is null
    or workflows_looked_at < events.clock() - ${interval(':awayMs')}`;

/** Notified three times without effect; or not started, or asked to end, for an hour. */
const MARK_UNREPAIRED = `
  update events.findings set unrepaired_at = events.clock()
  where unrepaired_at is null and kind in ('unwatched', 'lost', 'stray') and case kind
    when 'unwatched' then tries >= 3 and tried_at < events.clock() - interval '5 minutes'
    else found_at < events.clock() - interval '1 hour' end`;
