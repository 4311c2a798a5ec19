import type { Client } from '@temporalio/client';

import { interval, isBefore, queryOf } from '../ledger/sql.ts';
import { errorLine } from '../platform/errors.ts';
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
import { countByKind, createFindings, type Finding, type ReconcileLogger } from './findings.ts';
import { createReconcileMetrics } from './metrics.ts';
import { FORGET_WAKE } from './notify-again.ts';
import { createRunningWorkflows } from './running-workflows.ts';
import { findState, mustRest, noteLook } from './state.ts';
import { forgetLostStore } from './stores.ts';

export interface WorkflowReconcilerDeps {
  readonly orm: Orm;
  readonly client: Client;
  readonly taskQueue: string;
  readonly workflows: Pick<OccasionWorkflows, 'end'>;
  readonly logger: ReconcileLogger;
  readonly registry: Registry;
  /** How often the reconciler's workflow runs. */
  readonly everyMs: number;
  /** The page size in occasions; for tests. */
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

/**
 * In addition to two runs: after this long without a check, Temporal counts as having been down.
 */
const AWAY_AFTER_MS = 3_600_000;
/** Few enough to be notified in a minute or two, and checked in a few. */
const FOUND_AT_ONCE = 5_000;

/**
 * The half of the reconciler that needs Temporal: finds occasions that no workflow checks, ids that
 * only one of the stores has, and a changed Temporal store. A workflow calls its steps; each is
 * safe to repeat, even concurrently.
 */
export function createWorkflowReconciler(deps: WorkflowReconcilerDeps) {
  const { orm, logger, everyMs } = deps;
  const metrics = createReconcileMetrics(deps.registry, WORKFLOW_KINDS);
  const running = createRunningWorkflows(deps.client, deps.taskQueue);
  const query = queryOf(orm);
  const findings = createFindings(orm);
  const compare = createComparison({ ...deps, running, findings });

  /** Adds what Temporal reports about the workflow. */
  async function explain({ subject, note }: Finding): Promise<string> {
    try {
      return `${note}; ${(await running.describe(subject)).words}`;
    } catch (error) {
      return `${note}; Temporal cannot be asked: ${errorLine(error)}`;
    }
  }

  return {
    /** If Temporal's store has changed, has all workflows notified, which starts them. */
    checkStore: (onPage: () => void): Promise<StoreCheck> =>
      metrics.step(async () => {
        const storeId = await running.storeId();
        await query(NOTE_RETURN, { awayMs: 2 * everyMs + AWAY_AFTER_MS });
        const forgotten = await forgetLostStore(orm, storeId, onPage, deps.page);
        if (forgotten > 0) {
          const what = 'reconciler: another Temporal store: all workflows are notified again';
          logger.warn({ forgotten }, what);
        }
        const ages = await findState(orm);
        return { rests: mustRest(ages, ages.workflowsAgeMs, everyMs), forgotten };
      }),

    /**
     * Finds occasions that no workflow has checked for two hours after it should have, and has
     * their workflows notified: three times, five minutes apart, and daily from then on.
     */
    lookForUnwatched: (): Promise<ReconcileStep> =>
      metrics.step(async () => {
        const detected = await query<{ kind: 'unwatched' }>(KEEP_UNWATCHED, {
          limit: FOUND_AT_ONCE,
        });
        const repaired = await query<{ kind: 'unwatched' }>(DROP_LOOKED_AT);
        await query(NOTIFY_UNWATCHED);
        await noteLook(orm, 'workflows_looked_at');
        return { detected: countByKind(detected), repaired: countByKind(repaired) };
      }),

    /**
     * Once a day, compares the ids of all running workflows with the occasions, in both directions.
     */
    compare: (onPage: () => void): Promise<Comparison> => metrics.step(() => compare(onPage)),

    /** Counts and logs the results of a run, and raises the alarm for what is not repaired. */
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

/** Occasions that no workflow has checked while Temporal was down get their time from now on. */
const NOTE_RETURN = `
  update events.reconciler set temporal_back_at = events.clock()
  where temporal_back_at is null or workflows_looked_at is null
    or workflows_looked_at < events.clock() - ${interval(':awayMs')}`;

/** Notified three times without effect; or not started, or not ended on request, for an hour. */
const MARK_UNREPAIRED = `
  update events.findings set unrepaired_at = events.clock()
  where unrepaired_at is null and kind in ('unwatched', 'lost', 'stray') and case kind
    when 'unwatched' then tries >= 3 and tried_at < events.clock() - interval '5 minutes'
    else found_at < events.clock() - interval '1 hour' end`;

const ago = (span: string): string => `(select events.clock() - interval '${span}')`;

/** Each has its index: for occasions that were notified, and for those that were not. */
const SHOULD_HAVE_WOKEN = [
  isBefore('o.notified_wake_at', ago('2 hours')),
  `o.notified_wake_at is null and ${isBefore('o.wake_at', ago('2 hours'))}`,
];

const IS_UNWATCHED = `o.ended_at is null
  and (o.looked_at is null or o.looked_at < ${ago('2 hours')})
  and (select temporal_back_at from events.reconciler) < ${ago('2 hours')}`;

const KEEP_UNWATCHED = `
  insert into events.findings (kind, subject, occasion_type, occasion_id, user_id, due_at, note)
  select 'unwatched', type || '/' || id, type, id, user_id, wake_due_at,
    'no workflow has checked it since it should have woken'
  from (${SHOULD_HAVE_WOKEN.map(
    (condition) => `select o.* from events.occasions as o where ${condition} and ${IS_UNWATCHED}`,
  ).join(' union all ')}) as unwatched
  order by wake_due_at nulls last, id limit :limit::int
  on conflict do nothing
  returning kind`;

const DROP_LOOKED_AT = `
  delete from events.findings as f
  where f.kind = 'unwatched' and not exists (
    select from events.occasions as o
    where o.type = f.occasion_type and o.id = f.occasion_id
      and (${SHOULD_HAVE_WOKEN.join(' or ')}) and ${IS_UNWATCHED})
  returning f.kind`;

/** After five minutes, a workflow that runs or was started has checked. */
const NOTIFY_UNWATCHED = `
  with due as materialized (
    select o.type, o.id, f.subject from events.findings as f
    join events.occasions as o on o.type = f.occasion_type and o.id = f.occasion_id
    where f.kind = 'unwatched' and (f.tried_at is null
      or f.tried_at < case when f.tries < 3 then ${ago('5 minutes')} else ${ago('1 day')} end)
    order by o.type, o.id for update
  ),
  notified as (
    update events.occasions as o set ${FORGET_WAKE}
    from due where o.type = due.type and o.id = due.id
  )
  update events.findings as f set tries = f.tries + 1, tried_at = events.clock()
  from due where f.kind = 'unwatched' and f.subject = due.subject`;
