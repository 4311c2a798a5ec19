import { Counter } from 'prom-client';

import type { Registry } from '../observability/metrics.ts';
import type { Timed } from '../observability/query-metrics.ts';
import type { OutboxResult } from '../users/outbox.ts';
import type { Planner, PlanOutcome } from './types.ts';

/** Who asks for a plan. */
export type PlanSource = 'outbox' | 'ledger' | 'rules' | 'reconciler' | 'workflow';

const KINDS: readonly PlanOutcome['kind'][] = ['planned', 'blocked', 'ended', 'deferred', 'failed'];
const RESULTS: readonly OutboxResult['kind'][] = ['done', 'deferred', 'failed', 'parked'];

/**
 * Gives what counts and times the plans of a process: the same planner, observed on behalf of
 * each of those that ask it.
 */
export function createPlanMetrics(registry: Registry, timed: Timed<'plan'>) {
  const plans = new Counter({
    name: 'daybell_plans_total',
    help: 'Occasions that were planned, by what asked for it and by what came of it.',
    labelNames: ['source', 'result'],
    registers: [registry],
  });
  return (planner: Planner, source: PlanSource): Planner => {
    for (const result of KINDS) plans.inc({ source, result }, 0);
    return {
      ...planner,
      async plan(occasions) {
        if (occasions.length === 0) return [];
        const outcomes = await timed('plan', () => planner.plan(occasions));
        for (const { kind: result } of outcomes) plans.inc({ source, result });
        return outcomes;
      },
    };
  };
}

/** Gives what counts what becomes of the entries of the outbox. */
export function createOutboxMetrics(
  registry: Registry,
): (results: readonly OutboxResult[]) => void {
  const entries = new Counter({
    name: 'daybell_outbox_entries_total',
    help: 'Entries of the outbox that were taken, by what became of them.',
    labelNames: ['result'],
    registers: [registry],
  });
  for (const result of RESULTS) entries.inc({ result }, 0);
  return (results) => {
    for (const { kind: result } of results) entries.inc({ result });
  };
}
