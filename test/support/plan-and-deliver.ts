import {
  createActivities,
  type Activities,
  type ActivityDeps,
} from '../../src/activities/index.ts';
import { createPlanner } from '../../src/events/planner.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import type { FactsSources } from '../../src/persistence/facts-source.ts';
import type { Orm } from '../../src/persistence/orm.ts';
import { createPlanningStore } from '../../src/persistence/planning-store.ts';
import { bundledLaw } from './zone-laws.ts';

const HOUR = 3_600_000;

/** The two activities that the workflow of an event type asks for: no arming before the instant. */
export function createPlanAndDeliver(
  orm: Orm,
  facts?: FactsSources,
): Pick<Activities, 'plan' | 'deliver'> {
  const { plan, deliver } = createActivities({
    planner: createPlanner({
      store: createPlanningStore(orm, facts),
      settings: {
        rules: { leapDayPolicy: 'feb28', localTime: '09:00', law: bundledLaw },
        lateLimitMs: 48 * HOUR,
        armLeadMs: 0,
        armWindowMs: 0,
      },
    }),
    arming: createDeliveryLedger(orm, { lateAfterMs: HOUR }),
    clock: Date.now,
    // What is left out, these two do not ask for.
  } as Partial<ActivityDeps> as ActivityDeps);
  return { plan, deliver };
}
