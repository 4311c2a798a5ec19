import { createDeliverActivity } from './deliver.ts';
import { createErasureActivities, type ErasureActivityDeps } from './erasure.ts';
import { createHousekeepingActivities, type HousekeepingActivityDeps } from './housekeeping.ts';
import { createReconcileActivities, type ReconcileActivityDeps } from './reconcile.ts';

export type ActivityDeps = Parameters<typeof createDeliverActivity>[0] &
  HousekeepingActivityDeps &
  ErasureActivityDeps &
  ReconcileActivityDeps;

export type Activities = ReturnType<typeof createActivities>;

/** All activities. They are safe to repeat: the ledger decides every race. */
export function createActivities(deps: ActivityDeps) {
  return {
    ...createDeliverActivity(deps),
    ...createHousekeepingActivities(deps),
    ...createErasureActivities(deps),
    ...createReconcileActivities(deps),
  };
}
