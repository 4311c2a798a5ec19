import { ActivityFailure, log, proxyActivities, setCurrentDetails } from '@temporalio/workflow';

import type { Activities } from '../activities/index.ts';
import type {
  ReconcileReport,
  ReconcileStep,
  WorkflowFindingKind,
} from './maintenance-contract.ts';

const retry = {
  initialInterval: 1_000,
  backoffCoefficient: 2,
  maximumInterval: 20_000,
  // If the database or visibility is down for longer, the next run tries again.
  maximumAttempts: 5,
};

const { checkStore, compareWorkflows } = proxyActivities<Activities>({
  // Heartbeats come between pages, each of which takes a second or less.
  startToCloseTimeout: 30 * 60_000,
  heartbeatTimeout: 60_000,
  retry,
});

const { lookForUnwatched, concludeReconcile } = proxyActivities<Activities>({
  startToCloseTimeout: 2 * 60_000,
  retry,
});

/**
 * Finds what only Temporal can show: occasions that no workflow checks, workflows without an
 * occasion, and a changed Temporal store. A Temporal Schedule starts it; its result is its report.
 */
export async function reconcile(): Promise<ReconcileReport> {
  const startedAt = Date.now();
  setCurrentDetails('Compares this Temporal store with the one before.');
  const { rests, forgotten } = await checkStore();
  if (rests) return { ...NOTHING, rested: true, forgotten };

  const notLookedFor: WorkflowFindingKind[] = [];
  async function look<Step extends ReconcileStep>(
    kinds: readonly WorkflowFindingKind[],
    step: () => Promise<Step>,
  ): Promise<Step | null> {
    setCurrentDetails(`Looks for what is ${kinds.join(' or ')}.`);
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      log.warn('could not look for some kinds', { kinds });
      notLookedFor.push(...kinds);
      return null;
    }
  }
  const unwatched = await look(['unwatched'], lookForUnwatched);
  const comparison = await look(['lost', 'stray'], compareWorkflows);

  setCurrentDetails('Counts what it has found.');
  const detected = { ...unwatched?.detected, ...comparison?.detected };
  const repaired = { ...unwatched?.repaired, ...comparison?.repaired };
  const alarm = await concludeReconcile({ startedAt, detected, repaired, notLookedFor });
  const { compared = null } = comparison ?? {};
  return { detected, repaired, ...alarm, rested: false, forgotten, compared, notLookedFor };
}

const NOTHING = {
  detected: {},
  repaired: {},
  unrepaired: {},
  examples: [],
  compared: null,
  notLookedFor: [],
};
