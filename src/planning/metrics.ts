import { metricsOn, type Registry, type Timed } from '../platform/metrics.ts';
import type { OutboxResult } from '../users/outbox.ts';
import type { Planner } from './planner.ts';
import type { PlanOutcome } from './write-plans.ts';

/** What asked for a plan. */
export type PlanSource = 'outbox' | 'ledger' | 'rules' | 'reconciler' | 'workflow';

const PLAN_RESULTS: readonly PlanOutcome['kind'][] = [
  'planned',
  'blocked',
  'ended',
  'deferred',
  'failed',
];
const OUTBOX_RESULTS: readonly OutboxResult['kind'][] = ['done', 'deferred', 'failed', 'parked'];
/** The workflow was started, woken, asked to end, or woken for a redelivery; or Temporal refused. */
const NOTIFIED = ['started', 'woken', 'ended', 'redelivered', 'refused'] as const;

/** Returns wrappers of a process's planner, one for each source, that count and time it. */
export function createPlanMetrics(registry: Registry, timed: Timed<'plan'>) {
  const plans = metricsOn(registry).counter(
    'daybell_plans_total',
    'Occasions that were planned, by source and result.',
    ['source', 'result'],
  );
  return (planner: Planner, source: PlanSource): Planner => {
    for (const result of PLAN_RESULTS) plans.inc({ source, result }, 0);
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

export function createOutboxMetrics(registry: Registry) {
  const count = metricsOn(registry).counterBy(
    'result',
    OUTBOX_RESULTS,
    'daybell_outbox_entries_total',
    'Entries of the outbox that were taken, by result.',
  );
  return (results: readonly OutboxResult[]): void => {
    for (const { kind } of results) count(kind);
  };
}
export type Notified = (typeof NOTIFIED)[number];

export type NotifierObserver = ReturnType<typeof createNotifierMetrics>;

export function createNotifierMetrics(registry: Registry) {
  const { counterBy, gauge } = metricsOn(registry);
  const pace = gauge(
    'daybell_notify_rate_limit',
    'How many workflows a second the notifier allows itself to notify: it follows how Temporal and the database answer.',
  );
  return {
    notified: counterBy(
      'result',
      NOTIFIED,
      'daybell_occasions_notified_total',
      'Occasion workflows that were notified: started, woken, asked to end, woken for a redelivery; or that Temporal refused to notify.',
    ),
    /** Exports how many calls a second it allows itself. */
    paced: (perSecond: number): void => pace.set(perSecond),
  };
}
