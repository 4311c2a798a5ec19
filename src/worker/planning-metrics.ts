import { Counter } from 'prom-client';

import type { Planner } from '../activities/index.ts';
import type { Reconciler } from '../events/reconcile.ts';
import type { Registry } from '../observability/metrics.ts';
import type { Timed } from '../observability/query-metrics.ts';

/**
 * The same planner, timed, and counted by how it went. Faults of data, such as a zone that is
 * not known, are plans too; what fails is tried again by Temporal.
 */
export function observePlanner(
  registry: Registry,
  planner: Planner,
  timed: Timed<'plan'>,
): Planner {
  const count = countRuns(registry, {
    name: 'daybell_plans_total',
    help: 'Plans that were asked for, by whether they were made (succeeded) or not (failed).',
  });
  return { plan: (request) => count(() => timed('plan', () => planner.plan(request))) };
}

/** The same reconciler, each step of a round counted by how it went. */
export function observeReconciler(registry: Registry, reconciler: Reconciler): Reconciler {
  const count = countRuns(registry, {
    name: 'daybell_reconcile_steps_total',
    help: "Steps of the reconciler's rounds, by whether they succeeded or failed.",
  });
  return {
    look: (kind, onPage) => count(() => reconciler.look(kind, onPage)),
    confirm: () => count(() => reconciler.confirm()),
    repair: (stopping) => count(() => reconciler.repair(stopping)),
    settle: () => count(() => reconciler.settle()),
    conclude: (request) => count(() => reconciler.conclude(request)),
  };
}

function countRuns(
  registry: Registry,
  metric: { readonly name: string; readonly help: string },
): <Result>(run: () => Promise<Result>) => Promise<Result> {
  const runs = new Counter({ ...metric, labelNames: ['result'], registers: [registry] });
  for (const result of ['succeeded', 'failed']) runs.inc({ result }, 0);
  return async (run) => {
    try {
      const result = await run();
      runs.inc({ result: 'succeeded' });
      return result;
    } catch (error) {
      runs.inc({ result: 'failed' });
      throw error;
    }
  };
}
