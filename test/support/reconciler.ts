/** The reconciler as the worker has it, and one for workers of which nobody wants it. */
import type { Client } from '@temporalio/client';

import { BIRTHDAY } from '../../src/domain/event-type.ts';
import { createReconciler, type Reconciler } from '../../src/events/reconcile.ts';
import type { Orm } from '../../src/persistence/orm.ts';
import { createReconcileLedger } from '../../src/persistence/reconcile-ledger.ts';
import { createFollowerEngine } from '../../src/temporal/follower-engine.ts';
import { createRedeliveries } from '../../src/temporal/redeliveries.ts';
import { createScheduler } from '../../src/temporal/scheduler.ts';

export function createTestReconciler(orm: Orm, client: Client, taskQueue: string): Reconciler {
  return createReconciler({
    ledger: createReconcileLedger(orm),
    engine: createFollowerEngine(client),
    scheduler: createScheduler(client, taskQueue),
    redeliveries: createRedeliveries(client, taskQueue),
    eventTypes: [BIRTHDAY],
    clock: Date.now,
  });
}

const refuse = () => Promise.reject(new Error('there is no reconciler in this test'));

export const WITHOUT_RECONCILER: Reconciler = {
  look: refuse,
  confirm: refuse,
  repair: refuse,
  settle: refuse,
  conclude: refuse,
};
