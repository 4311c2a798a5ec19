/** A worker as the process has it, whose planning rules a test sets. */
import { Worker, type NativeConnection } from '@temporalio/worker';

import { createActivities, type Activities } from '../../../src/activities/index.ts';
import type { DateRules } from '../../../src/domain/rules.ts';
import { createPlanner, type PlannerSettings } from '../../../src/events/planner.ts';
import { createDeliveryLedger } from '../../../src/persistence/delivery-ledger.ts';
import type { Orm } from '../../../src/persistence/orm.ts';
import { createPlanningStore } from '../../../src/persistence/planning-store.ts';
import { createRedeliveryLedger } from '../../../src/persistence/redelivery-ledger.ts';
import { createRetention } from '../../../src/persistence/retention.ts';
import { createWorker } from '../../../src/worker/worker.ts';
import { WITHOUT_ERASURE } from '../../support/erasure.ts';
import { WITHOUT_RECONCILER } from '../../support/reconciler.ts';
import { useWorkflowBundle } from '../../support/temporal.ts';
import { bundledLaw } from '../../support/zone-laws.ts';

/** What differs from the default settings. */
export type PlanningSettings = Partial<Omit<PlannerSettings, 'rules'> & DateRules>;

export interface TestWorkerOptions {
  readonly connection: NativeConnection;
  readonly taskQueue: string;
  readonly orm: Orm;
  readonly clock: () => number;
  readonly planning: PlanningSettings;
  /**
   * Without, every step is taken from history, and another worker can go on. The time-skipping
   * server never takes back what it has sent to the cache of a worker that is gone.
   */
  readonly keepsWorkflows: boolean;
  /** Done before each activity. */
  readonly beforeEach: () => Promise<void>;
}

export interface TestWorker {
  stop(): Promise<void>;
}

const HOUR = 3_600_000;
const LATE_AFTER_MS = HOUR / 12;

export async function startTestWorker(options: TestWorkerOptions): Promise<TestWorker> {
  const { connection, taskQueue, orm, clock, keepsWorkflows, beforeEach } = options;
  const {
    leapDayPolicy = 'feb28',
    localTime = '09:00',
    law = bundledLaw,
    ...others
  } = options.planning;
  const activities = createActivities({
    planner: createPlanner({
      store: createPlanningStore(orm),
      // The server skips no time while an activity is open: without a lead there is none to sit out.
      settings: {
        lateLimitMs: 48 * HOUR,
        armLeadMs: 0,
        armWindowMs: 0,
        ...others,
        rules: { leapDayPolicy, localTime, law },
      },
    }),
    arming: createDeliveryLedger(orm, { lateAfterMs: LATE_AFTER_MS }),
    redeliveryLedger: createRedeliveryLedger(orm),
    retention: createRetention(orm),
    reconciler: WITHOUT_RECONCILER,
    ...WITHOUT_ERASURE,
    clock,
  });
  const { plan, deliver } = activities;
  const timed: Activities = {
    ...activities,
    plan: async (request) => beforeEach().then(() => plan(request)),
    deliver: async (request) => beforeEach().then(() => deliver(request)),
  };
  const deps = {
    connection,
    namespace: 'default',
    taskQueue,
    workflowBundle: await useWorkflowBundle(),
    activities: timed,
  };
  const worker = keepsWorkflows
    ? await createWorker(deps)
    : await Worker.create({ ...deps, maxCachedWorkflows: 0 });
  const working = worker.run();
  return {
    async stop() {
      worker.shutdown();
      await working;
    },
  };
}
