/** All of Daybell in one process, on real servers: API, relay, worker, dispatcher and reporter. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';

import { createActivities, type Activities } from '../../src/activities/index.ts';
import { createReporter } from '../../src/delivery/reporter.ts';
import type { ErasureCounts, ErasureRequest } from '../../src/domain/erasure-messages.ts';
import type {
  ReconcileReport,
  ReconcileRequest,
  ReconcileWaits,
} from '../../src/domain/reconcile-messages.ts';
import { createPlanner } from '../../src/events/planner.ts';
import type { Scheduler } from '../../src/events/scheduling.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { createOutbox } from '../../src/persistence/outbox-store.ts';
import { createPlanningStore } from '../../src/persistence/planning-store.ts';
import { createRedeliveryLedger } from '../../src/persistence/redelivery-ledger.ts';
import { createRetention } from '../../src/persistence/retention.ts';
import { createReportQueue } from '../../src/persistence/report-queue.ts';
import { startRelay } from '../../src/relay/relay.ts';
import { createSchedulingSubscriber } from '../../src/relay/scheduling.ts';
import { createActivityReporter } from '../../src/temporal/activity-reporter.ts';
import { createRedeliveries } from '../../src/temporal/redeliveries.ts';
import { createScheduler } from '../../src/temporal/scheduler.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { ADA, createTestApi, type Answer, type TestApi } from './api.ts';
import { createTestErasure } from './erasure.ts';
import { followWorkflows, type FollowedWorkflows } from './followed-workflow.ts';
import { createTestReconciler } from './reconciler.ts';
import { createTestClock, type TestClock } from './test-clock.ts';
import { startDispatcher } from './test-dispatcher.ts';
import { uniqueTaskQueue, useDevServer, useWorkflowBundle, type TestTemporal } from './temporal.ts';
import {
  startWebhookReceiver,
  type ReceivedWebhook,
  type WebhookReceiver,
} from './webhook-receiver.ts';
import { bundledLaw } from './zone-laws.ts';

export interface DaybellOptions {
  readonly client: Client;
  readonly connection: NativeConnection;
  readonly armLeadMs?: number;
  /** Sets the clock before anything is done, for a test whose time moves. */
  readonly tellTime?: (clock: TestClock) => Promise<void>;
}

export interface TestDaybell extends FollowedWorkflows {
  readonly api: TestApi;
  readonly receiver: WebhookReceiver;
  readonly clock: TestClock;
  readonly scheduler: Scheduler;
  /** By the API; resolves when it is relayed. Gives the id. */
  createUser(fields?: Partial<Record<keyof typeof ADA | 'externalId', string>>): Promise<string>;
  changeUser(userId: string, fields: object): Promise<void>;
  deleteUser(userId: string): Promise<void>;
  deleteAllUsers(): Promise<void>;
  greetingsOf(userId: string): ReceivedWebhook[];
  /** The state of each of the user's occurrences in the ledger, the earliest first. */
  ledgerOf(userId: string): Promise<string[]>;
  /** Runs the reconciler, by default with little patience; gives what it found. */
  reconcile(waits?: ReconcileWaits): Promise<ReconcileReport>;
  /** Runs the erasure of deleted users; gives what was erased. */
  erase(): Promise<ErasureCounts>;
  pauseDeliveries(): Promise<void>;
  resumeDeliveries(): Promise<void>;
  stop(): Promise<void>;
}

/** One for all tests of a file, on the run's dev server. */
export type SharedDaybell = Omit<TestDaybell, 'stop'> & { readonly temporal: TestTemporal };

/** Registers the hooks of the file that calls it. */
export function useDaybell(options: Pick<DaybellOptions, 'armLeadMs'> = {}): SharedDaybell {
  let temporal: TestTemporal;
  let running: TestDaybell;
  let shared: SharedDaybell;
  beforeAll(async () => {
    temporal = await useDevServer();
    running = await startDaybell({ ...temporal, ...options });
    shared = { ...running, temporal };
  });
  afterAll(async () => {
    await running.stop();
    await temporal.close();
  });
  // There is none before the hooks have run.
  return new Proxy({} as SharedDaybell, {
    get: (_, name: keyof SharedDaybell) => shared[name],
  });
}

const HOUR = 3_600_000;
/** All that a repair takes is on this machine, and nothing else is to do. */
const RECONCILE_WAITS = { secondLookMs: 1_000, patienceMs: 10_000 };
const LATE_AFTER_MS = 5 * 60_000;

export async function startDaybell(options: DaybellOptions): Promise<TestDaybell> {
  const { client, connection, armLeadMs = 0 } = options;
  const taskQueue = uniqueTaskQueue();
  const logger = pino({ level: 'silent' });

  const skew = { ms: 0 };
  const now = () => Date.now() + skew.ms;
  const api = await createTestApi({
    clock: now,
    redeliveries: createRedeliveries(client, taskQueue),
  });
  const { orm, url } = api.database;
  const clock = await createTestClock(orm, skew);
  const receiver = await startWebhookReceiver();

  const scheduler = createScheduler(client, taskQueue);
  const relay = startRelay({
    outbox: createOutbox(orm),
    subscribers: [createSchedulingSubscriber(scheduler)],
    logger,
  });
  const activities = createActivities({
    planner: createPlanner({
      store: createPlanningStore(orm),
      settings: {
        rules: { leapDayPolicy: 'feb28', localTime: '09:00', law: bundledLaw },
        lateLimitMs: 48 * HOUR,
        armLeadMs,
        armWindowMs: 0,
      },
    }),
    arming: createDeliveryLedger(orm, { lateAfterMs: LATE_AFTER_MS }),
    redeliveryLedger: createRedeliveryLedger(orm),
    retention: createRetention(orm),
    reconciler: createTestReconciler(orm, client, taskQueue),
    ...createTestErasure(orm, client),
    clock: now,
  });
  const { tellTime = async () => {} } = options;
  const worker = await createWorker({
    connection,
    namespace: 'default',
    taskQueue,
    workflowBundle: await useWorkflowBundle(),
    activities: beforeEach(activities, () => tellTime(clock)),
  });
  const working = worker.run();
  const dispatcher = await startDispatcher({
    databaseUrl: url,
    webhookUrl: receiver.url,
    clock: now,
  });
  const reporter = createReporter({
    queue: createReportQueue(orm),
    engine: createActivityReporter(client),
    clock: now,
    logger,
  });
  reporter.start();

  const ask = async (method: string, path: string, body?: object): Promise<Answer> => {
    await tellTime(clock);
    const answer = await api.send(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status}`);
    await relayed();
    return answer;
  };
  const relayed = async (): Promise<void> => {
    const waiting = 'select id from users.outbox where relayed_at is null';
    while ((await api.sql(waiting)).length > 0) await sleep(20);
  };
  const followed = followWorkflows(client);

  return {
    ...followed,
    api,
    receiver,
    clock,
    scheduler,
    async createUser(fields = {}) {
      return (await ask('POST', '/v1/users', { ...ADA, ...fields })).body.id;
    },
    async changeUser(userId, fields) {
      await ask('PATCH', `/v1/users/${userId}`, fields);
    },
    async deleteUser(userId) {
      await ask('DELETE', `/v1/users/${userId}`);
    },
    async deleteAllUsers() {
      const users = await api.sql<{ id: string }>('select id from users.users');
      for (const { id } of users) {
        await ask('DELETE', `/v1/users/${id}`);
        await followed.workflowOf(id).result();
      }
    },
    greetingsOf: (userId) => receiver.received.filter(({ body }) => body.data.userId === userId),
    async ledgerOf(userId) {
      const states = 'select state from events.occurrences where user_id = ? order by year';
      return (await api.sql<{ state: string }>(states, [userId])).map(({ state }) => state);
    },
    reconcile: (waits = RECONCILE_WAITS) =>
      client.workflow.execute<(request: ReconcileRequest) => Promise<ReconcileReport>>(
        'reconcile',
        {
          workflowId: `${taskQueue}/reconcile-${randomUUID()}`,
          taskQueue,
          args: [{ waits }],
        },
      ),
    erase: () =>
      client.workflow.execute<(request: ErasureRequest) => Promise<ErasureCounts>>('erasure', {
        workflowId: `${taskQueue}/erasure-${randomUUID()}`,
        taskQueue,
        args: [{ eraseAfterMs: 0 }],
      }),
    async pauseDeliveries() {
      await api.sql('update events.destinations set paused_at = clock_timestamp()');
    },
    async resumeDeliveries() {
      await api.sql('update events.destinations set paused_at = null');
    },
    async stop() {
      await relay.stop();
      worker.shutdown();
      await working;
      await Promise.all([dispatcher.stop(), reporter.stop()]);
      await receiver.close();
      await api.database.drop();
    },
  };
}

function beforeEach(activities: Activities, before: () => Promise<void>): Activities {
  const { plan, deliver } = activities;
  return {
    ...activities,
    plan: async (request) => {
      await before();
      return plan(request);
    },
    deliver: async (request) => {
      await before();
      return deliver(request);
    },
  };
}
